#include "formats/packed/packed_header.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/packed/packed_transform.h"

namespace tessera::formats {
namespace {

using Bytes = std::vector<std::byte>;

PackedArray as_array(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string as_text(PackedArray bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::string kTiles(200, 't');

PackedContents sample() {
  PackedContents contents;
  contents.format = "none";
  contents.options = {{"dtype", "bfloat16"}, {"weight-layout", "nz"}};
  contents.sources = {{"config.json", 12, 34, 56}};
  contents.largest_source_bytes = 99;
  contents.files = {{"config.json", as_array("{}")}};
  PackedEntry linear{.name = "model.q", .kind = "gemm_s8", .out = 16, .in = 32};
  linear.scheme.weight = {.bits = 4, .group_size = 32, .symmetric = false};
  linear.scheme.activation = {.bits = 4,
                              .rule = quant::ActivationRule::kTwoSided,
                              .group_size = 64,
                              .is_static = true,
                              .clip_ratio = 0.5F};
  linear.scheme.transformed = true;
  linear.input = {.scale = 0.25F, .zero_point = -7};
  linear.arrays = {as_array(kTiles), PackedArray(), as_array("scales")};
  linear.bias = as_array("bias");
  contents.entries.push_back(linear);
  return contents;
}

Bytes as_file(PackedContents contents) {
  const PackedPlan plan = plan_packed_file(std::move(contents)).value();
  Bytes file(plan.file_bytes);
  std::memcpy(file.data(), plan.head.data(), plan.head.size());
  for (const auto& [offset, bytes] : plan.arrays)
    std::memcpy(file.data() + offset, bytes.data(), bytes.size());
  return file;
}

template <class T>
void put(Bytes& file, size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof(value));
}

std::string refusal(const Bytes& file) {
  const Status status = check_packed_preamble(file, "a.packed");
  return status ? "" : status.error().message();
}

TEST(PackedHeader, WhatIsWrittenIsRead) {
  const Bytes file = as_file(sample());
  EXPECT_EQ(refusal(file), "");
  const PackedContents read = parse_packed_header(file).value();
  EXPECT_EQ(read.format, "none");
  EXPECT_EQ(read.options, sample().options);
  EXPECT_EQ(read.sources, sample().sources);
  EXPECT_EQ(read.largest_source_bytes, 99U);
  EXPECT_EQ(as_text(read.files.at("config.json")), "{}");
  ASSERT_EQ(read.entries.size(), 1U);
  const PackedEntry linear = read.entries[0], expected = sample().entries[0];
  EXPECT_EQ(linear.name, "model.q");
  EXPECT_EQ(linear.kind, "gemm_s8");
  EXPECT_EQ(linear.scheme, expected.scheme);
  EXPECT_EQ(linear.input, expected.input);
  EXPECT_EQ(linear.out, 16);
  EXPECT_EQ(linear.in, 32);
  ASSERT_EQ(linear.arrays.size(), 3U);
  EXPECT_EQ(as_text(linear.arrays[0]), kTiles);
  EXPECT_TRUE(linear.arrays[1].empty());
  EXPECT_EQ(as_text(linear.arrays[2]), "scales");
  EXPECT_EQ(as_text(linear.bias), "bias");
}

TEST(PackedHeader, ArraysAreAlignedAndTheSameBytesAreStoredOnce) {
  PackedContents contents = sample();
  contents.entries.push_back(contents.entries[0]);
  const PackedPlan plan = plan_packed_file(contents).value();
  EXPECT_EQ(plan.arrays.size(), 4U);  // config.json, tiles, scales, bias
  for (const PackedPlan::Place& place : plan.arrays)
    EXPECT_EQ(place.offset % kPackedArrayAlignment, 0U);
  const Bytes file = as_file(contents);
  const PackedContents read = parse_packed_header(file).value();
  EXPECT_EQ(read.entries[0].arrays[0].data(), read.entries[1].arrays[0].data());
}

TEST(PackedHeader, EachRefusalSaysWhatIsWrong) {
  const Bytes good = as_file(sample());
  const auto with = [&](size_t offset, auto value) {
    Bytes file = good;
    put(file, offset, value);
    return refusal(file);
  };
  EXPECT_EQ(refusal(Bytes(10)), "a.packed: not a packed file, expected one made by tessera pack");
  EXPECT_EQ(refusal(Bytes(good.begin(), good.begin() + 20)), "a.packed: torn: 20 bytes");
  EXPECT_EQ(with(0, 'X'), "a.packed: not a packed file, expected one made by tessera pack");
  EXPECT_EQ(with(8, 0x04030201U),
            "a.packed: packed on a machine with another byte order, expected little-endian");
  EXPECT_EQ(with(12, 99U), "a.packed: packed file of version 99, expected 2: pack it again");
  EXPECT_EQ(with(16, 99U), "a.packed: weights in layout 99, expected 1: pack it again");
  EXPECT_EQ(refusal(Bytes(good.begin(), good.end() - 1)),
            fmt::format("a.packed: torn: {} bytes, expected {}", good.size() - 1, good.size()));
  EXPECT_EQ(with(24, ~uint64_t{0}), "a.packed: torn: the header does not match its checksum");
  EXPECT_EQ(with(70, uint8_t{255}), "a.packed: torn: the header does not match its checksum");
}

TEST(PackedHeader, NoByteOfTheHeaderLeadsBeyondTheFile) {
  const Bytes good = as_file(sample());
  const size_t head = plan_packed_file(sample())->head.size();
  const auto within = [](PackedArray array, const Bytes& file) {
    return array.empty() ||
           (array.data() >= file.data() && array.data() + array.size() <= file.data() + file.size());
  };
  size_t refused = 0;
  for (size_t at = 0; at < head; ++at) {
    for (const uint8_t value : {0, 1, 127, 255}) {
      Bytes file = good;
      put(file, at, value);
      const auto read = parse_packed_header(file);
      if (!read) {
        ++refused;
        continue;
      }
      for (const PackedEntry& entry : read->entries) {
        for (const PackedArray array : entry.arrays)
          EXPECT_TRUE(within(array, file)) << "byte " << at << " = " << int{value};
      }
    }
  }
  EXPECT_GT(refused, head);  // most of them are lengths, offsets and facts with bounds
}

TEST(PackedHeader, EveryCutIsAnError) {
  const Bytes good = as_file(sample());
  const size_t head = plan_packed_file(sample())->head.size();
  for (size_t size = 0; size < head; ++size)
    EXPECT_FALSE(parse_packed_header(std::span(good).first(size))) << size;
}

TEST(PackedTransform, StepsComeBackAndMatricesStayShared) {
  const auto matrix = std::make_shared<const quant::SquareMatrix>(quant::SquareMatrix{2, {1, 2, 3, 4}});
  const quant::InputTransform steps = {
      quant::ColumnFactors{{1, 2, 3, 4}},
      quant::ColumnOrder{{3, 1, 0, 2}},
      quant::KroneckerPair{.rows = 2, .columns = 2, .left = {1, 2, 3, 4}, .right = {5, 6, 7, 8}},
      quant::BlockHadamard{.size = 4, .base = 1, .signs = {}, .transposed = true},
      quant::BlockMatrix{matrix},
      quant::BlockMatrix{matrix}};
  PackedContents contents;
  contents.entries.push_back({.name = "a", .kind = "k", .out = 4, .in = 4, .transform = pack_steps(steps)});
  const Bytes file = as_file(contents);
  const PackedContents stored = parse_packed_header(file).value();
  StepReader reader;
  const quant::InputTransform read = reader.read(stored.entries[0].transform).value();
  EXPECT_EQ(read, steps);
  EXPECT_EQ(std::get<quant::BlockMatrix>(read[4]).matrix, std::get<quant::BlockMatrix>(read[5]).matrix);
}

TEST(PackedTransform, RefusesStepsThatItDoesNotKnow) {
  StepReader reader;
  const std::vector<PackedStep> steps = {{.kind = "fourier"}};
  EXPECT_EQ(reader.read(steps).error().message(),
            "a transform \"fourier\", which this version does not know");
}

}  // namespace
}  // namespace tessera::formats
