// Experts in one tensor, as transformers 5 saves them with save_original_format=False, and the same [in,
// out]: the model is that of the checkpoint with a tensor for each, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"
#include "models/golden_support.h"

namespace tessera::models {
namespace {

constexpr int kExperts = 8, kHidden = 64, kWidth = 24;
const std::string kSource = golden_dir("qwen3-moe-nonorm");

struct Stacked {
  Shape shape;
  std::vector<uint16_t> values;
};

/// The transpose of [rows, columns].
std::vector<uint16_t> turned(const std::vector<uint16_t>& matrix, size_t columns) {
  const size_t rows = matrix.size() / columns;
  std::vector<uint16_t> result;
  for (size_t column = 0; column < columns; ++column) {
    for (size_t row = 0; row < rows; ++row)
      result.push_back(matrix[row * columns + column]);
  }
  return result;
}

std::vector<uint16_t> numbers(const formats::TensorSource& source, const std::string& name) {
  const auto tensor = source.read(name);
  EXPECT_TRUE(tensor.has_value()) << name;
  const auto values = std::as_const(*tensor).as<uint16_t>();
  return {values.begin(), values.end()};
}

/// All tensors of the checkpoint, those of a layer's experts in two.
std::map<std::string, Stacked> stack(const formats::TensorSource& source, bool in_first) {
  std::map<std::string, Stacked> tensors;
  for (const formats::TensorInfo& info : source.tensors()) {
    const size_t at = info.name.find(".experts.");
    if (at == std::string::npos) {
      tensors[info.name] = {info.shape, numbers(source, info.name)};
      continue;
    }
    const std::string experts = info.name.substr(0, at + 9);
    if (!info.name.ends_with(".0.gate_proj.weight")) continue;
    Stacked& wide = tensors[experts + "gate_up_proj"];
    Stacked& narrow = tensors[experts + "down_proj"];
    wide.shape = in_first ? Shape{kExperts, kHidden, 2 * kWidth} : Shape{kExperts, 2 * kWidth, kHidden};
    narrow.shape = in_first ? Shape{kExperts, kWidth, kHidden} : Shape{kExperts, kHidden, kWidth};
    for (int expert = 0; expert < kExperts; ++expert) {
      const std::string stem = experts + std::to_string(expert) + ".";
      auto both = numbers(source, stem + "gate_proj.weight"),
           down = numbers(source, stem + "down_proj.weight");
      const auto up = numbers(source, stem + "up_proj.weight");
      both.insert(both.end(), up.begin(), up.end());
      if (in_first) {
        both = turned(both, kHidden);
        down = turned(down, kWidth);
      }
      wide.values.insert(wide.values.end(), both.begin(), both.end());
      narrow.values.insert(narrow.values.end(), down.begin(), down.end());
    }
  }
  return tensors;
}

void write(const std::map<std::string, Stacked>& tensors, const std::string& directory) {
  std::filesystem::copy_file(kSource + "/config.json", directory + "/config.json");
  std::vector<formats::TensorSpec> specs;
  for (const auto& [name, tensor] : tensors)
    specs.push_back({name, DType::kBF16, tensor.shape});
  auto writer = formats::SafetensorsWriter::create(directory, specs);
  ASSERT_TRUE(writer.has_value()) << writer.error().message();
  for (const auto& [name, tensor] : tensors)
    ASSERT_TRUE(writer->write(name, std::as_bytes(std::span(tensor.values))).has_value());
  ASSERT_TRUE(writer->commit().has_value());
}

std::vector<float> logits_of(const std::string& directory, const std::vector<int32_t>& ids) {
  LoadOptions options;
  options.model_path = directory;
  auto model = Model::load(options);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
  return model ? run_alone(**model, ids) : std::vector<float>();
}

TEST(StackedExperts, TheModelIsTheSame) {
  const auto source = formats::open_safetensors_dir(kSource);
  ASSERT_TRUE(source.has_value());
  const std::vector<int32_t> ids{5, 80, 300, 17, 250, 9, 411, 33};
  const auto expected = logits_of(kSource, ids);
  for (const bool in_first : {false, true}) {
    const formats::TestDirectory directory;
    const auto tensors = stack(**source, in_first);
    ASSERT_EQ(tensors.count("model.layers.2.mlp.experts.gate_up_proj"), 1U);
    write(tensors, directory.path());
    EXPECT_EQ(logits_of(directory.path(), ids), expected) << in_first;
  }
}

}  // namespace
}  // namespace tessera::models
