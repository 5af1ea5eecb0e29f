// Linears that GPTQModel and AutoAWQ packed, against what they dequantize them to
// (tools/golden/make_packed_words.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/json_limits.h"
#include "formats/test_directory.h"
#include "formats/weight_format.h"
#include "quant/dequantize.h"
#include "tensor/float_convert.h"

namespace tessera::formats::gptq {
namespace {

using nlohmann::json;

json description_of(const std::filesystem::path& file) {
  const std::string bytes = *read_text_file(file, 1 << 20);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const json header = *parse_json(std::string_view(bytes).substr(8, header_bytes), file.filename().string());
  return json::parse(header["__metadata__"]["golden"].get<std::string>())["description"];
}

/// Column k of the weights is column order[k] of the checkpoint.
std::vector<int32_t> order_of(const quant::LinearData& data) {
  if (!data.transform.empty()) return std::get<quant::ColumnOrder>(data.transform[0]).from;
  std::vector<int32_t> order;
  for (int32_t k = 0; k < data.in; ++k)
    order.push_back(k);
  return order;
}

/// The library multiplies in float16: the product of a code and a scale, rounded once.
void expect_equal(const quant::LinearData& floats, const Tensor& expected) {
  const auto order = order_of(floats);
  const auto values = floats.values.as<float>();
  const auto theirs = expected.as<uint16_t>();
  size_t different = 0;
  for (size_t row = 0; row < values.size(); row += order.size()) {
    for (size_t k = 0; k < order.size(); ++k)
      different += f32_to_f16(values[row + k]) == theirs[row + static_cast<size_t>(order[k])] ? 0 : 1;
  }
  EXPECT_EQ(different, 0U);
}

TEST(PackedWords, EqualToTheBit) {
  int files = 0, reordered = 0, symmetric = 0, biased = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(TESSERA_SOURCE_DIR "/tests/golden/packed_words")) {
    SCOPED_TRACE(entry.path().filename().string());
    const TestDirectory directory;
    std::filesystem::copy_file(entry.path(), std::filesystem::path(directory.path()) / "model.safetensors");
    const auto source = *open_safetensors_dir(directory.path());
    const json description = description_of(entry.path());
    const auto reader = open_weight_reader({{"quantization_config", description}}, directory.path(), *source);
    ASSERT_TRUE(reader.has_value()) << reader.error().message();
    const Tensor expected = *source->read("dequantized");
    auto data = (*reader)->read("stored", expected.shape()[0], expected.shape()[1]);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_EQ(data->scheme, *(*reader)->scheme("stored", ModuleKind::kLinear));
    ++files;
    reordered += data->scheme.transformed ? 1 : 0;
    symmetric += data->scheme.weight.symmetric ? 1 : 0;
    biased += data->bias.empty() ? 0 : 1;
    const auto floats = quant::dequantize(*std::move(data));
    ASSERT_TRUE(floats.has_value());
    expect_equal(*floats, expected);
    const auto names = (*reader)->tensor_names("stored", ModuleKind::kLinear);
    for (const TensorInfo& info : source->tensors()) {
      EXPECT_TRUE(info.name == "dequantized" || std::ranges::find(names, info.name) != names.end())
          << info.name;
    }
  }
  EXPECT_EQ(files, 16);
  EXPECT_EQ(reordered, 2);
  EXPECT_EQ(symmetric, 5);
  EXPECT_EQ(biased, 3);
}

}  // namespace
}  // namespace tessera::formats::gptq
