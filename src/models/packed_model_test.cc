// A model that is mapped out of its packed file says what the one that was read from the directory says;
// files that do not fit are refused with the reason.
#include "models/loader/packed_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/test_directory.h"
#include "models/golden_support.h"

namespace tessera::models {
namespace {

namespace fs = std::filesystem;

class PackedModel : public ::testing::TestWithParam<std::string> {
 protected:
  LoadOptions options(const std::string& directory) const {
    LoadOptions options;
    options.model_path = directory;
    options.threads = 2;
    return options;
  }
  std::string packed() const { return scratch_.path() + "/model.packed"; }

  /// A copy whose files a test changes.
  std::string copy(const std::string& directory) const {
    const std::string to = scratch_.path() + "/model";
    fs::copy(directory, to, fs::copy_options::recursive);
    return to;
  }
  static std::string error_of(const LoadOptions& options) {
    const auto model = Model::load(options);
    return model ? "loaded" : model.error().message();
  }

  formats::TestDirectory scratch_;
};

void expect_same_model(const LoadOptions& read, const LoadOptions& mapped) {
  const auto from_directory = Model::load(read).value();
  const auto from_file = Model::load(mapped);
  ASSERT_TRUE(from_file) << from_file.error().message();
  const std::vector<int32_t> ids = {1, 5, 9, 2, 7, 3};
  EXPECT_EQ(run_alone(**from_file, ids), run_alone(*from_directory, ids));
  const LoadReport &a = (*from_file)->report(), &b = from_directory->report();
  EXPECT_EQ(a.packed_bytes, b.packed_bytes);
  EXPECT_EQ(a.scheme, b.scheme);
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.bytes_per_token, b.bytes_per_token);
}

/// "quant_models/qwen3-w8a8" -> "quant_models_qwen3_w8a8".
std::string test_name(const ::testing::TestParamInfo<std::string>& directory) {
  const fs::path path = directory.param;
  std::string name = path.parent_path().filename().string() + "_" + path.filename().string();
  std::ranges::replace_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

/// Every tiny model there is, float and quantized.
std::vector<std::string> directories() {
  std::vector<std::string> found;
  for (const std::string& root : {golden_dir(""), quantized_golden_dir("")}) {
    for (const auto& entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "config.json")) found.push_back(entry.path().string());
    }
  }
  std::ranges::sort(found);
  return found;
}

class PackedGolden : public PackedModel {};

TEST_P(PackedGolden, GivesTheSameLogits) {
  LoadOptions read = options(GetParam());
  for (const char* layout : {"nz", "nd"}) {
    read.weight_layout = layout;
    const auto summary = pack_model(read, packed());
    ASSERT_TRUE(summary) << summary.error().message();
    EXPECT_EQ(fs::file_size(packed()), summary->file_bytes);
    LoadOptions mapped;
    mapped.packed = packed();
    mapped.threads = 2;
    expect_same_model(read, mapped);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, PackedGolden, ::testing::ValuesIn(directories()), test_name);

TEST_F(PackedModel, FloatsMayBeQuantizedOrStayFloat32) {
  for (const auto& [dtype, quantization] : std::vector<std::pair<std::string, std::string>>{
           {"float32", ""}, {"auto", "w8a8_int8"}, {"auto", "w4a16_int4"}}) {
    LoadOptions read = options(golden_dir("qwen3"));
    read.dtype = dtype;
    read.quantization = quantization;
    ASSERT_TRUE(pack_model(read, packed()));
    LoadOptions mapped = read;
    mapped.packed = packed();
    expect_same_model(read, mapped);
  }
}

TEST_F(PackedModel, OtherOptionsAreRefused) {
  ASSERT_TRUE(pack_model(options(golden_dir("llama")), packed()));
  LoadOptions mapped;
  mapped.packed = packed();
  mapped.dtype = "float32";
  EXPECT_EQ(error_of(mapped), packed() + ": packed with --dtype bfloat16, expected float32");
  mapped.dtype = "auto";
  mapped.weight_layout = "nd";
  EXPECT_EQ(error_of(mapped), packed() + ": packed with --weight-layout nz, expected nd");
  mapped.weight_layout = "";
  mapped.quantization = "w8a8_int8";
  EXPECT_EQ(error_of(mapped), packed() + ": packed with --quantization \"\", expected w8a8_int8");
}

TEST_F(PackedModel, StaleFilesAreRefused) {
  const std::string model = copy(golden_dir("llama"));
  ASSERT_TRUE(pack_model(options(model), packed()));
  LoadOptions mapped = options(model);
  mapped.packed = packed();
  EXPECT_EQ(error_of(mapped), "loaded");
  std::ofstream(model + "/config.json", std::ios::app) << "\n";
  EXPECT_TRUE(error_of(mapped).starts_with(packed() + ": stale: in " + model + ", config.json has "))
      << error_of(mapped);
  mapped.model_path.clear();  // then nothing is compared
  EXPECT_EQ(error_of(mapped), "loaded");
}

TEST_F(PackedModel, CutFilesAreRefused) {
  ASSERT_TRUE(pack_model(options(golden_dir("llama")), packed()));
  const auto bytes = fs::file_size(packed());
  fs::permissions(packed(), fs::perms(0644));
  fs::resize_file(packed(), bytes - 1);
  LoadOptions mapped;
  mapped.packed = packed();
  EXPECT_EQ(error_of(mapped), fmt::format("{}: torn: {} bytes, expected {}", packed(), bytes - 1, bytes));
}

TEST_F(PackedModel, TheCacheIsFilledOnceAndAgainWhenStale) {
  const std::string model = copy(golden_dir("llama"));
  LoadOptions cached = options(model);
  cached.packed_cache = scratch_.path() + "/cache";
  const auto packed_files = [&] {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cached.packed_cache)) {
      if (entry.path().extension() == ".packed") files.push_back(entry.path());
    }
    return files;
  };
  expect_same_model(options(model), cached);
  ASSERT_EQ(packed_files().size(), 1U);
  const auto made = fs::last_write_time(packed_files()[0]);
  expect_same_model(options(model), cached);
  EXPECT_EQ(fs::last_write_time(packed_files()[0]), made);

  std::ofstream(model + "/config.json", std::ios::app) << "\n";
  expect_same_model(options(model), cached);
  EXPECT_NE(fs::last_write_time(packed_files()[0]), made);

  cached.weight_layout = "nd";
  EXPECT_EQ(error_of(cached), "loaded");
  EXPECT_EQ(packed_files().size(), 2U);
}

TEST_F(PackedModel, ACacheNeedsAModel) {
  LoadOptions cached;
  cached.packed_cache = scratch_.path();
  EXPECT_EQ(error_of(cached),
            "--packed-cache " + scratch_.path() + ": expected --model-path too, to pack from");
}

TEST_F(PackedModel, TheFileHasTheModelsSmallFiles) {
  const std::string model = copy(golden_dir("llama"));
  std::ofstream(model + "/chat_template.jinja") << "{{ messages }}";
  ASSERT_TRUE(pack_model(options(model), packed()));
  LoadOptions mapped;
  mapped.packed = packed();
  const auto files = open_model_files(mapped).value();
  EXPECT_EQ(*files.find("chat_template.jinja"), "{{ messages }}");
  EXPECT_EQ(*files.find("config.json"), *formats::read_model_files(model)->find("config.json"));
}

}  // namespace
}  // namespace tessera::models
