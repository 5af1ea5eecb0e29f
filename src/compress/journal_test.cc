#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "compress/journal.h"
#include "compress/quantize_test_support.h"
#include "formats/tensor_source.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::HasSubstr;
namespace fs = std::filesystem;

QuantizeOptions gptq_options(const TestDirectory& directory) {
  QuantizeOptions options = options_for("qwen3-moe", directory, "w4a8");
  options.group_size = 0;
  options.method = Method::kGptq;
  options.calibration = {.file = {}, .sequences = 16, .length = 64};
  return options;
}

std::string bytes_of(const std::string& directory) {
  return *read_text_file(directory + "/model.safetensors", 1 << 26);
}

/// Writes over the first values of a tensor of `model`; its file looks as old as before. What was there.
std::string overwrite(const std::string& model, const std::string& tensor, const std::string& bytes) {
  const auto source = formats::open_safetensors_dir(model);
  const formats::TensorInfo& info = *(*source)->find(tensor);
  const fs::path path = model + "/model.safetensors";
  const auto time = fs::last_write_time(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string before(bytes.size(), '\0');
  file.seekg(static_cast<std::streamoff>(info.offset));
  file.read(before.data(), static_cast<std::streamsize>(before.size()));
  file.seekp(static_cast<std::streamoff>(info.offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  fs::last_write_time(path, time);
  return before;
}

TEST(Journal, AnInterruptedRunGoesOnToTheSameBytes) {
  const TestDirectory source, whole, broken;
  fs::copy(tiny_model("qwen3-moe"), source.path(), fs::copy_options::recursive);
  QuantizeOptions options = gptq_options(whole);
  options.model_path = source.path();
  ASSERT_EQ(error_of(options), "");
  options.output = broken.path();
  // The third layer has a NaN for a while.
  const std::string tensor = "model.layers.2.self_attn.q_proj.weight";
  const std::string good = overwrite(source.path(), tensor, std::string(4, '\xff'));
  EXPECT_THAT(error_of(options), HasSubstr("a NaN or an infinity"));
  overwrite(source.path(), tensor, good);
  // The first layer is always kept, the second only where keeping the first was quick.
  EXPECT_TRUE(fs::exists(broken.path() + "/quantize.hidden.1") ||
              fs::exists(broken.path() + "/quantize.hidden.2"));
  EXPECT_FALSE(fs::exists(broken.path() + "/config.json"));

  // Another command does not touch it.
  QuantizeOptions other = options;
  other.scheme = "w8a8";
  EXPECT_THAT(error_of(other), HasSubstr("holds the unfinished work of another command"));
  // It does not look at the first layer again.
  overwrite(source.path(), "model.layers.0.self_attn.q_proj.weight", std::string(4, '\xff'));
  ASSERT_EQ(error_of(options), "");
  EXPECT_EQ(bytes_of(broken.path()), bytes_of(whole.path()));
  for (const auto& entry : fs::directory_iterator(broken.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_FALSE(name.starts_with("quantize.") || name.ends_with(".partial")) << name;
  }
  // A finished directory is like any other that is not empty.
  EXPECT_THAT(error_of(options), HasSubstr("is not empty"));
}

TEST(Journal, ForceStartsAnew) {
  const TestDirectory directory, whole;
  QuantizeOptions options = gptq_options(directory);
  {
    auto journal = Journal::open(options);
    ASSERT_TRUE(journal.has_value()) << journal.error().message();
    journal->set_sync([] { return Status(); });
    const std::vector<float> hidden(64, 1.F);
    ASSERT_TRUE(journal->save_layers(1, {hidden.data(), 1, 64}, {}).has_value());
  }
  // Hidden states of another size than this model's.
  EXPECT_THAT(error_of(options), HasSubstr("--force starts anew"));
  options.scheme = "w8a8";
  options.method = Method::kRtn;
  options.force = true;
  EXPECT_EQ(error_of(options), "");
  QuantizeOptions plain = options_for("qwen3-moe", whole, "w8a8");
  ASSERT_EQ(error_of(plain), "");
  EXPECT_EQ(bytes_of(directory.path()), bytes_of(whole.path()));
}

TEST(Journal, NothingIsLeftOfWhatWasNotBegun) {
  const TestDirectory directory;
  QuantizeOptions options = gptq_options(directory);
  {
    const auto journal = Journal::open(options);
    ASSERT_TRUE(journal.has_value());
    EXPECT_TRUE(fs::exists(directory.path() + "/quantize.state.json"));
  }
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

}  // namespace
}  // namespace tessera::compress
