// What the compressed-tensors library saved in every format, against what it dequantizes it to
// (tools/golden/make_compressed_tensors_more.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/compressed_tensors/reader.h"
#include "formats/json_limits.h"
#include "formats/test_directory.h"
#include "quant/dequantize.h"
#include "quant/integer_codes.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TESSERA_SOURCE_DIR "/tests/golden/quant_more"))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

json metadata_of(const std::filesystem::path& file) {
  const std::string bytes = *read_text_file(file, 1 << 20);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  return (
      *parse_json(std::string_view(bytes).substr(8, header_bytes), file.filename().string()))["__metadata__"];
}

/// The linear called "stored" of a golden file.
struct Golden {
  TestDirectory directory;
  std::unique_ptr<TensorSource> source;
  std::unique_ptr<WeightReader> reader;
  int64_t out = 0, in = 0;

  explicit Golden(const std::filesystem::path& file) {
    const json metadata = metadata_of(file);
    const json facts = json::parse(metadata["case"].get<std::string>());
    json group = json::parse(metadata["scheme"].get<std::string>());
    group["format"] = facts["format"];
    const json config = {{"quantization_config",
                          {{"quant_method", "compressed-tensors"},
                           {"format", facts["format"]},
                           {"config_groups", {{"group_0", group}}}}}};
    out = facts["shape"][0];
    in = facts["shape"][1];
    std::filesystem::copy_file(file, std::filesystem::path(directory.path()) / "model.safetensors");
    source = *open_safetensors_dir(directory.path());
    auto opened = open_weight_reader(config, directory.path(), *source);
    if (opened.has_value()) {
      reader = *std::move(opened);
    } else {
      ADD_FAILURE() << opened.error().message();
    }
  }
};

/// Undoes the order that the transform asks of the input: column k of the result is the checkpoint's.
void restore_columns(const quant::LinearData& data, std::span<float> values) {
  if (data.transform.empty()) return;
  const auto& order = std::get<quant::ColumnOrder>(data.transform[0]).from;
  const std::vector<float> permuted(values.begin(), values.end());
  for (size_t row = 0; row < values.size(); row += order.size()) {
    for (size_t k = 0; k < order.size(); ++k)
      values[row + static_cast<size_t>(order[k])] = permuted[row + k];
  }
}

TEST(CompressedTensorsLibrary, EveryFormatIsEqualToTheBit) {
  int files = 0, reordered = 0, floats = 0;
  for (const auto& file : golden_files()) {
    SCOPED_TRACE(file.filename().string());
    const Golden golden(file);
    ASSERT_NE(golden.reader, nullptr);
    const auto status = golden.reader->check("stored", golden.out, golden.in);
    ASSERT_TRUE(status.has_value()) << status.error().message();
    auto data = golden.reader->read("stored", golden.out, golden.in);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    reordered += data->scheme.transformed ? 1 : 0;
    floats += data->scheme.is_float() ? 1 : 0;
    auto floating = quant::dequantize(*std::move(data));
    ASSERT_TRUE(floating.has_value()) << floating.error().message();
    const auto values = floating->values.as<float>();
    restore_columns(*floating, values);
    // The library rounds to the scale's dtype, as does what packs the weights in bf16.
    const Tensor expected = *golden.source->read("dequantized");
    std::vector<std::byte> narrowed(expected.bytes());
    ASSERT_EQ(narrowed.size(), values.size() * dtype_size(expected.dtype()));
    quant::narrow(values, expected.dtype(), narrowed.data());
    EXPECT_EQ(std::memcmp(narrowed.data(), expected.data(), narrowed.size()), 0);
    ++files;
  }
  EXPECT_EQ(files, 32);
  EXPECT_EQ(reordered, 2);
  EXPECT_EQ(floats, 7);
}

/// Everything that the library stored is read by somebody: the loader refuses what nobody reads.
TEST(CompressedTensorsLibrary, NoTensorIsLeftOver) {
  for (const auto& file : golden_files()) {
    SCOPED_TRACE(file.filename().string());
    const Golden golden(file);
    ASSERT_NE(golden.reader, nullptr);
    const auto names = golden.reader->tensor_names("stored", ModuleKind::kLinear);
    for (const TensorInfo& info : golden.source->tensors()) {
      if (info.name == "dequantized") continue;
      EXPECT_THAT(names, testing::Contains(info.name));
    }
  }
}

}  // namespace
}  // namespace tessera::formats::compressed_tensors
