// A model saved without its head: transformers' base model, whose names lack "model.". Embedding models are
// published so.
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"
#include "models/golden_support.h"

namespace tessera::models {
namespace {

/// The tied model of `source` without the prefix.
void write_base_model(const formats::TensorSource& source, const std::string& directory,
                      uint64_t shard_bytes) {
  std::filesystem::copy_file(golden_dir("llama") + "/config.json", directory + "/config.json");
  std::vector<formats::TensorSpec> specs;
  for (const formats::TensorInfo& info : source.tensors())
    specs.push_back({info.name.substr(std::string_view("model.").size()), info.dtype, info.shape});
  auto writer = formats::SafetensorsWriter::create(directory, specs, shard_bytes);
  ASSERT_TRUE(writer.has_value()) << writer.error().message();
  for (size_t at = 0; at < specs.size(); ++at) {
    auto tensor = source.read(source.tensors()[at].name);
    ASSERT_TRUE(tensor.has_value());
    ASSERT_TRUE(writer->write(specs[at].name, tensor->raw()).has_value());
  }
  ASSERT_TRUE(writer->commit().has_value());
}

std::vector<float> logits_of(const std::string& directory) {
  LoadOptions options;
  options.model_path = directory;
  auto model = Model::load(options);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
  return model ? run_alone(**model, {5, 80, 300, 17, 250, 9, 411, 33}) : std::vector<float>();
}

TEST(BaseModel, IsTheSameModel) {
  const auto source = formats::open_safetensors_dir(golden_dir("llama"));
  ASSERT_TRUE(source.has_value());
  ASSERT_EQ((*source)->find("lm_head.weight"), nullptr) << "tied";
  for (const uint64_t shard_bytes : {uint64_t{1} << 30, uint64_t{150'000}}) {
    const formats::TestDirectory directory;
    write_base_model(**source, directory.path(), shard_bytes);
    EXPECT_EQ(logits_of(directory.path()), logits_of(golden_dir("llama"))) << shard_bytes;
  }
}

TEST(BaseModel, ANameWithAndWithoutThePrefixIsRefused) {
  const formats::TestDirectory directory;
  const std::vector<formats::TensorSpec> specs = {{"embed_tokens.weight", DType::kBF16, {1}},
                                                  {"model.embed_tokens.weight", DType::kBF16, {1}}};
  auto writer = formats::SafetensorsWriter::create(directory.path(), specs);
  ASSERT_TRUE(writer.has_value());
  for (const auto& spec : specs)
    ASSERT_TRUE(writer->write(spec.name, std::vector<std::byte>(2)).has_value());
  ASSERT_TRUE(writer->commit().has_value());
  const auto source = formats::open_safetensors_dir(directory.path());
  ASSERT_FALSE(source.has_value());
  EXPECT_TRUE(source.error().message().starts_with("model.embed_tokens.weight: in "))
      << source.error().message();
}

}  // namespace
}  // namespace tessera::models
