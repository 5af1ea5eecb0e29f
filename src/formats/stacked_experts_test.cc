#include "formats/stacked_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/test_directory.h"

namespace tessera::formats {
namespace {

using testing::HasSubstr;

struct Stored {
  TensorSpec spec;
  std::vector<std::byte> bytes;
};

/// 0, 1, 2, ... from `first`.
template <class T>
Stored counting(std::string name, DType dtype, Shape shape, int first = 0) {
  std::vector<T> values(static_cast<size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), static_cast<T>(first));
  Stored tensor{{std::move(name), dtype, shape}, std::vector<std::byte>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

struct Checkpoint {
  TestDirectory directory;
  std::unique_ptr<TensorSource> source;
  std::string error;

  explicit Checkpoint(const std::vector<Stored>& tensors) {
    std::vector<TensorSpec> specs;
    for (const auto& tensor : tensors)
      specs.push_back(tensor.spec);
    auto writer = SafetensorsWriter::create(directory.path(), specs);
    EXPECT_TRUE(writer.has_value());
    for (const auto& tensor : tensors)
      EXPECT_TRUE(writer->write(tensor.spec.name, tensor.bytes).has_value());
    EXPECT_TRUE(writer->commit().has_value());
    auto opened = open_safetensors_dir(directory.path());
    if (opened) {
      source = *std::move(opened);
    } else {
      error = opened.error().message();
    }
  }

  template <class T>
  std::vector<T> read(std::string_view name, const Shape& shape) const {
    const auto tensor = source->read(name);
    EXPECT_TRUE(tensor.has_value()) << (tensor ? "" : tensor.error().message());
    if (!tensor) return {};
    EXPECT_EQ(tensor->shape(), shape) << name;
    const auto values = tensor->template as<T>();
    return {values.begin(), values.end()};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const TensorInfo& info : source->tensors())
      names.push_back(info.name);
    std::ranges::sort(names);
    return names;
  }
};

TEST(StackedExperts, EachBecomesLinearsOfItsOwn) {
  // 2 experts, width 1, hidden 3.
  const Checkpoint checkpoint({counting<float>("l.mlp.experts.gate_up_proj", DType::kF32, {2, 2, 3}),
                               counting<float>("l.mlp.experts.down_proj", DType::kF32, {2, 3, 1}, 100),
                               counting<float>("l.mlp.gate.weight", DType::kF32, {2, 3}, 200)});
  EXPECT_EQ(checkpoint.names(),
            (std::vector<std::string>{"l.mlp.experts.0.down_proj.weight", "l.mlp.experts.0.gate_proj.weight",
                                      "l.mlp.experts.0.up_proj.weight", "l.mlp.experts.1.down_proj.weight",
                                      "l.mlp.experts.1.gate_proj.weight", "l.mlp.experts.1.up_proj.weight",
                                      "l.mlp.gate.weight"}));
  using Floats = std::vector<float>;
  EXPECT_EQ(checkpoint.read<float>("l.mlp.experts.0.gate_proj.weight", {1, 3}), (Floats{0, 1, 2}));
  EXPECT_EQ(checkpoint.read<float>("l.mlp.experts.0.up_proj.weight", {1, 3}), (Floats{3, 4, 5}));
  EXPECT_EQ(checkpoint.read<float>("l.mlp.experts.1.gate_proj.weight", {1, 3}), (Floats{6, 7, 8}));
  EXPECT_EQ(checkpoint.read<float>("l.mlp.experts.1.down_proj.weight", {3, 1}), (Floats{103, 104, 105}));
  EXPECT_EQ(checkpoint.read<float>("l.mlp.gate.weight", {2, 3}), (Floats{200, 201, 202, 203, 204, 205}));
  EXPECT_EQ(checkpoint.source->find("l.mlp.experts.gate_up_proj"), nullptr);
}

TEST(StackedExperts, InputsBeforeOutputs) {
  // 2 experts, width 2, hidden 3: [3, 4] with gate in the first two columns, and [2, 3].
  const Checkpoint checkpoint({counting<int16_t>("l.experts.gate_up_proj", DType::kBF16, {2, 3, 4}),
                               counting<int16_t>("l.experts.down_proj", DType::kBF16, {2, 2, 3}, 100)});
  using Numbers = std::vector<int16_t>;
  EXPECT_EQ(checkpoint.read<int16_t>("l.experts.0.gate_proj.weight", {2, 3}), (Numbers{0, 4, 8, 1, 5, 9}));
  EXPECT_EQ(checkpoint.read<int16_t>("l.experts.1.up_proj.weight", {2, 3}),
            (Numbers{14, 18, 22, 15, 19, 23}));
  EXPECT_EQ(checkpoint.read<int16_t>("l.experts.1.down_proj.weight", {3, 2}),
            (Numbers{106, 109, 107, 110, 108, 111}));
}

TEST(StackedExperts, QuantizedOnesWithAllThatBelongsToThem) {
  // 2 experts, width 8, hidden 16 in 4 bits, groups of 8.
  const std::string stem = "l.experts.gate_up_proj.";
  auto shape = counting<int64_t>(stem + "weight_shape", DType::kI64, {3});
  const std::vector<int64_t> dims{2, 16, 16};
  std::memcpy(shape.bytes.data(), dims.data(), shape.bytes.size());
  const Checkpoint checkpoint({counting<int32_t>(stem + "weight_packed", DType::kI32, {2, 16, 2}),
                               counting<float>(stem + "weight_scale", DType::kF32, {2, 16, 2}),
                               counting<int32_t>(stem + "weight_zero_point", DType::kI32, {2, 2, 2}),
                               counting<int32_t>(stem + "weight_g_idx", DType::kI32, {2, 16}),
                               counting<float>(stem + "input_scale", DType::kF32, {2, 1}), shape});
  const std::string up = "l.experts.1.up_proj.";
  EXPECT_EQ(checkpoint.read<int64_t>(up + "weight_shape", {2}), (std::vector<int64_t>{8, 16}));
  EXPECT_EQ(checkpoint.read<int32_t>(up + "weight_packed", {8, 2}).front(), 48);
  EXPECT_EQ(checkpoint.read<float>(up + "weight_scale", {8, 2}).back(), 63);
  EXPECT_EQ(checkpoint.read<int32_t>(up + "weight_zero_point", {1, 2}), (std::vector<int32_t>{6, 7}));
  EXPECT_EQ(checkpoint.read<int32_t>(up + "weight_g_idx", {16}).front(), 16);
  EXPECT_EQ(checkpoint.read<float>(up + "input_scale", {1}), std::vector<float>{1});
  EXPECT_EQ(checkpoint.read<int64_t>("l.experts.0.gate_proj.weight_shape", {2}),
            (std::vector<int64_t>{8, 16}));
}

TEST(StackedExperts, ScalesThatGateAndUpShare) {
  const std::string stem = "l.experts.gate_up_proj.";
  const Checkpoint checkpoint({counting<int8_t>(stem + "weight", DType::kI8, {2, 4, 3}),
                               counting<float>(stem + "weight_scale", DType::kF32, {2, 1, 1}, 5)});
  EXPECT_EQ(checkpoint.read<float>("l.experts.1.gate_proj.weight_scale", {1, 1}), std::vector<float>{6});
  EXPECT_EQ(checkpoint.read<float>("l.experts.1.up_proj.weight_scale", {1, 1}), std::vector<float>{6});
}

TEST(StackedExperts, OtherTensorsStay) {
  const Checkpoint checkpoint({counting<float>("l.experts.gate_up_proj.weight", DType::kF32, {4, 3}),
                               counting<float>("l.experts.down_proj.strange", DType::kF32, {2, 4, 3}),
                               counting<float>("l.experts.0.up_proj.weight", DType::kF32, {4, 3})});
  EXPECT_EQ(checkpoint.names().size(), 3U);
  EXPECT_NE(checkpoint.source->find("l.experts.gate_up_proj.weight"), nullptr);
}

TEST(StackedExperts, ContradictionsAreNamed) {
  EXPECT_THAT(Checkpoint({counting<float>("l.experts.gate_up_proj", DType::kF32, {2, 4, 3}),
                          counting<float>("l.experts.down_proj", DType::kF32, {2, 4, 2})})
                  .error,
              HasSubstr("expected [2 experts, 2 * width, hidden]"));
  EXPECT_THAT(Checkpoint({counting<float>("l.experts.gate_up_proj", DType::kF32, {2, 2, 3}),
                          counting<float>("l.experts.1.up_proj.weight", DType::kF32, {1, 3})})
                  .error,
              HasSubstr("l.experts.1.up_proj.weight: there twice"));
  const std::string stem = "l.experts.gate_up_proj.";
  EXPECT_THAT(Checkpoint({counting<int32_t>(stem + "weight_packed", DType::kI32, {2, 8, 1}),
                          counting<int32_t>(stem + "weight_zero_point", DType::kI32, {2, 1, 1})})
                  .error,
              HasSubstr("expected rows of gate and up that can be told apart"));
}

}  // namespace
}  // namespace tessera::formats
