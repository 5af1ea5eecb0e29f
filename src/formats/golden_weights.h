// Whole checkpoints that another library saved: every weight, dequantized, against what that library makes of
// it. For tests only.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "formats/hf/model_dir.h"
#include "formats/json_limits.h"
#include "formats/weight_format.h"
#include "quant/dequantize.h"

namespace tessera::formats {

inline std::string fnv1a(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes)
    hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

/// DIRECTORY/golden_weights.json: {NAME: {"shape", "type", "fnv1a"}}, the hash of the float32 bytes. Equal to
/// the bit.
inline void expect_golden_weights(const std::string& directory) {
  const auto model = open_model_dir(directory);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  const auto source = open_safetensors_dir(directory);
  ASSERT_TRUE(source.has_value()) << source.error().message();
  const auto reader = open_weight_reader(model->config, directory, **source);
  ASSERT_TRUE(reader.has_value()) << reader.error().message();
  const nlohmann::json weights =
      *parse_json(*read_text_file(directory + "/golden_weights.json", 1 << 20), "golden_weights.json");
  ASSERT_GE(weights.size(), 14U);
  for (const auto& [name, facts] : weights.items()) {
    auto data = (*reader)->read(name, facts["shape"][0], facts["shape"][1]);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_EQ(data->scheme, *(*reader)->scheme(name, ModuleKind::kLinear)) << name;
    const auto values = quant::dequantize(*std::move(data));
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(fnv1a({values->values.data(), values->values.bytes()}), facts["fnv1a"].get<std::string>())
        << name << " " << facts["type"];
  }
}

/// The parameter of a test as a part of its name.
inline std::string test_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace tessera::formats
