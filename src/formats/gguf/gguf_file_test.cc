// What a GGUF file may not say, and the exact values of every tensor type.
#include "formats/gguf/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "formats/gguf/gguf_builder.h"
#include "formats/gguf/gguf_cursor.h"
#include "formats/safetensors/header.h"
#include "formats/test_directory.h"

namespace tessera::formats::gguf {
namespace {

using testing::HasSubstr;

// "" when it opens.
std::string open(const std::string& bytes) {
  const auto file = GgufFile::parse(memory_source(bytes));
  return file.has_value() ? "" : file.error().message();
}
std::string open(const GgufBuilder& builder) {
  return open(builder.bytes());
}

GgufBuilder sample() {
  GgufBuilder builder;
  builder.u32("number", 7).string("text", "héllo").boolean("yes", true).f32("float", 0.5F);
  builder.strings("list", {"a", "bc"}).ints("ints", {-1, 2});
  builder.tensor("one", {3, 2}, {1, 2, 3, 4, 5, 6}).ones("two", {5});
  return builder;
}

TEST(GgufFile, ReadsMetadata) {
  const std::string bytes = sample().bytes();
  const auto file = *GgufFile::parse(memory_source(bytes));
  EXPECT_EQ(*file.integer("number", 0, 10), 7);
  EXPECT_EQ(*file.string("text"), "héllo");
  EXPECT_TRUE(*file.boolean("yes"));
  EXPECT_EQ(*file.number("float"), 0.5);
  EXPECT_EQ(**file.strings("list"), (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(**file.integers("ints"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(file.integer("number", 8, 10).error().message(), "memory.gguf: number=7, expected 8 to 10");
  EXPECT_EQ(file.integer("text", 0, 1).error().message(), "memory.gguf: text is not an integer below 2^63");
  EXPECT_EQ(file.string("absent").error().code(), ErrorCode::kNotFound);
}

TEST(GgufFile, ReadsTensors) {
  const std::string bytes = sample().bytes();
  const auto file = *GgufFile::parse(memory_source(bytes));
  ASSERT_EQ(file.tensors().size(), 2U);
  const GgufTensor* one = file.find_tensor("one");
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->shape, (std::vector<int64_t>{2, 3}));
  std::vector<float> row(3);
  std::vector<std::byte> scratch;
  ASSERT_TRUE(file.read_rows(*one, 1, 1, scratch, row).has_value());
  EXPECT_EQ(row, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(file.find_tensor("three"), nullptr);
}

TEST(GgufFile, RefusesOtherFiles) {
  EXPECT_THAT(open(std::string()), HasSubstr("ends within the magic number"));
  EXPECT_THAT(open(std::string("GGU")), HasSubstr("ends within the magic number"));
  GgufBuilder builder = sample();
  builder.magic = "GGML";
  EXPECT_THAT(open(builder), HasSubstr("does not begin with \"GGUF\""));
  builder = sample();
  for (const uint32_t version : {0x03000000U, 0x02000000U}) {
    builder.version = version;
    EXPECT_THAT(open(builder), HasSubstr("big-endian"));
  }
  builder.version = 1;
  EXPECT_THAT(open(builder), HasSubstr("GGUF version 1, expected 2 or 3"));
  builder.version = 2;
  EXPECT_EQ(open(builder), "");
}

TEST(GgufFile, RefusesCountsBeyondTheFile) {
  GgufBuilder builder = sample();
  builder.tensor_count = UINT64_MAX;
  EXPECT_THAT(open(builder), HasSubstr("expected at most 100000"));
  builder = sample();
  builder.key_count = kMaxKeys + 1;
  EXPECT_THAT(open(builder), HasSubstr("expected at most"));
  builder = sample();
  builder.tensor_count = 1000;
  EXPECT_NE(open(builder), "");
}

TEST(GgufFile, RefusesLengthsBeyondTheFile) {
  const auto with = [](uint32_t type, const std::string& encoded) {
    return open(GgufBuilder().key("k", type, encoded));
  };
  const auto raw64 = [](uint64_t n) { return GgufBuilder::raw(n); };
  const auto array = [&](uint32_t type, uint64_t count) { return GgufBuilder::raw(type) + raw64(count); };
  EXPECT_THAT(with(8, raw64(1000)), HasSubstr("k says 1000 elements, but the file has only"));
  EXPECT_THAT(with(8, raw64(UINT64_MAX)), HasSubstr("expected at most 16777216"));
  EXPECT_THAT(with(9, array(4, 1000)), HasSubstr("k says 1000 elements"));
  EXPECT_THAT(with(9, array(4, uint64_t{1} << 62)), HasSubstr("expected at most 16000000"));
  EXPECT_THAT(with(9, array(8, kMaxArrayElements)), HasSubstr("k says 16000000 elements"));
  EXPECT_THAT(with(9, array(9, 1)), HasSubstr("array of arrays"));
  EXPECT_THAT(with(9, array(13, 1)), HasSubstr("array of type 13"));
  EXPECT_THAT(with(13, raw64(0)), HasSubstr("value type 13, expected 0 to 12"));
  EXPECT_THAT(with(7, "\x02"), HasSubstr("boolean 2, expected 0 or 1"));
  EXPECT_THAT(open(GgufBuilder().key(std::string(kMaxKeyBytes + 1, 'k'), 4, GgufBuilder::raw(1U))),
              HasSubstr("a key has 1025 bytes"));
}

TEST(GgufFile, RefusesDoublesAndBadText) {
  EXPECT_THAT(open(GgufBuilder().u32("k", 1).u32("k", 2)), HasSubstr("the key k is there twice"));
  EXPECT_THAT(open(GgufBuilder().ones("t", {1}).ones("t", {1})), HasSubstr("the tensor t is there twice"));
  EXPECT_THAT(open(GgufBuilder().string("k", "\xff")), HasSubstr("is not UTF-8"));
  EXPECT_THAT(open(GgufBuilder().string("\xc0\x80", "")), HasSubstr("is not UTF-8"));
}

TEST(GgufFile, RefusesLyingTensors) {
  const auto with = [](const std::vector<uint64_t>& dims, uint32_t type = 0, uint64_t offset = 0) {
    return open(GgufBuilder().ones("real", {64}).tensor_at("t", dims, type, offset));
  };
  EXPECT_THAT(with({}), HasSubstr("0 dimensions, expected 1 to 4"));
  EXPECT_THAT(with({1, 1, 1, 1, 1}), HasSubstr("5 dimensions"));
  EXPECT_THAT(with({0}), HasSubstr("dimension 0 is 0"));
  EXPECT_THAT(with({uint64_t{1} << 63}), HasSubstr("expected at least 1 and a product below 2^63"));
  // A product that wraps to something small: the heap overflow of other loaders.
  EXPECT_THAT(with({uint64_t{1} << 32, uint64_t{1} << 32}), HasSubstr("a product below 2^63"));
  EXPECT_THAT(with({(uint64_t{1} << 63) + 1, 2}), HasSubstr("a product below 2^63"));
  EXPECT_THAT(with({uint64_t{1} << 62}), HasSubstr("more bytes than 64 bits count"));
  EXPECT_THAT(with({1000}), HasSubstr("4000 bytes from byte 0 of the data, but there are 256"));
  EXPECT_THAT(with({1}, 0, UINT64_MAX - 31), HasSubstr("of the data, but there are 256"));
  EXPECT_THAT(with({1}, 0, 4), HasSubstr("expected a multiple of 32"));
  EXPECT_THAT(with({1}, 0, 32), HasSubstr("inside another tensor"));
  EXPECT_THAT(with({33}, 2), HasSubstr("rows of 33 elements, expected a multiple of 32 for Q4_0"));
  EXPECT_THAT(with({128}, 12), HasSubstr("expected a multiple of 256 for Q4_K"));
  EXPECT_THAT(with({32}, 20), HasSubstr("t: tensor type 20 (IQ4_NL), expected one of F32"));
  EXPECT_THAT(with({32}, 4), HasSubstr("tensor type 4 (unknown)"));
  EXPECT_THAT(open(GgufBuilder().ones(std::string(kMaxNameBytes + 1, 't'), {1})),
              HasSubstr("a tensor name has 257 bytes"));
}

TEST(GgufFile, ChecksAlignment) {
  EXPECT_THAT(open(sample().u32("general.alignment", 48)), HasSubstr("expected a power of two"));
  EXPECT_THAT(open(sample().u32("general.alignment", 0)), HasSubstr("general.alignment=0"));
  EXPECT_THAT(open(sample().u32("general.alignment", 1U << 31)), HasSubstr("general.alignment="));
  EXPECT_THAT(open(sample().string("general.alignment", "32")), HasSubstr("is not an integer"));
  EXPECT_EQ(open(sample().u32("general.alignment", 32)), "");
}

TEST(GgufFile, EveryTruncationIsRefused) {
  const std::string bytes = sample().bytes();
  // The last tensor ends 12 bytes before the padding does.
  for (size_t length = 0; length < bytes.size() - 12; ++length) {
    EXPECT_NE(open(bytes.substr(0, length)), "") << "length " << length;
  }
}

TEST(GgufFile, EveryBitFlipOpensOrIsRefused) {
  const std::string bytes = sample().bytes();
  std::vector<std::byte> scratch;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string mutated = bytes;
    mutated[bit / 8] = static_cast<char>(mutated[bit / 8] ^ (1 << (bit % 8)));
    const auto file = GgufFile::parse(memory_source(mutated));
    if (!file.has_value()) continue;
    for (const GgufTensor& tensor : file->tensors()) {
      std::vector<float> values(static_cast<size_t>(tensor.rows() * tensor.cols()));
      EXPECT_TRUE(file->read_rows(tensor, 0, tensor.rows(), scratch, values).has_value());
    }
  }
}

TEST(GgufFile, Utf8) {
  for (const std::string good : {"", "a", "é", "中", "😀", "\x7f", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xe2\x82", "\xe2\x28\xa1"}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(GgmlType, EqualsThePythonPackage) {
  const std::string golden = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/gguf/types";
  const auto file = *GgufFile::open(golden + ".gguf");
  TestDirectory dir;
  std::filesystem::copy_file(golden + ".safetensors", dir.path() + "/model.safetensors");
  const auto expected = *open_safetensors_dir(dir.path());
  EXPECT_EQ(file.tensors().size(), 13U);
  std::vector<std::byte> scratch;
  for (const GgufTensor& tensor : file.tensors()) {
    const Tensor want = *expected->read(tensor.name);
    std::vector<float> got(static_cast<size_t>(want.shape().numel()));
    ASSERT_TRUE(file.read_rows(tensor, 0, tensor.rows(), scratch, got).has_value());
    size_t different = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      different += std::bit_cast<uint32_t>(got[i]) != std::bit_cast<uint32_t>(want.as<float>()[i]) ? 1 : 0;
    }
    EXPECT_EQ(different, 0U) << tensor.name;
  }
}

}  // namespace
}  // namespace tessera::formats::gguf
