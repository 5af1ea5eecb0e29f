#include "formats/compressed_tensors/transforms.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <variant>

#include "formats/compressed_tensors/test_checkpoint.h"
#include "tensor/float_convert.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr TransformLocation kInput = TransformLocation::kInput, kOutput = TransformLocation::kOutput;

json use(const json& targets, const char* location, bool inverse = false, const json& ignore = {"lm_head"}) {
  return {{"targets", targets}, {"location", location}, {"inverse", inverse}, {"ignore", ignore}};
}

/// `uses`: one or a list.
json group(const char* type, const json& uses, const json& head_dim = nullptr) {
  return {{"type", type},           {"apply", uses.is_object() ? json::array({uses}) : uses},
          {"head_dim", head_dim},   {"randomize", false},
          {"requires_grad", false}, {"precision", "torch.float64"}};
}

/// Checkpoints without quantized linears: what the library writes when only transforms were applied.
json config_of(const json& groups) {
  return {{"quant_method", "compressed-tensors"},
          {"version", "0.18.0"},
          {"transform_config", {{"config_groups", groups}}}};
}

StoredTensor floats(const std::string& name, int64_t out, int64_t in) {
  return stored<float>(name + ".weight", DType::kF32, {out, in},
                       std::vector<float>(static_cast<size_t>(out * in), 1));
}

/// diag(signs) (B (x) Sylvester), as the library's random_hadamard_matrix makes it.
std::vector<double> random_hadamard(size_t n, const std::vector<double>& b, size_t base) {
  std::vector<double> matrix(n * n);
  const size_t run = n / base;
  for (size_t row = 0; row < n; ++row) {
    for (size_t column = 0; column < n; ++column) {
      const double sylvester = std::popcount(row % run & column % run) % 2 == 0 ? 1 : -1;
      matrix[row * n + column] = (row * 7 % 5 < 2 ? -1 : 1) * b[row / run * base + column / run] * sylvester;
    }
  }
  return matrix;
}

/// Some Hadamard matrix of 12 rows (Paley): no power of two.
std::vector<double> twelve() {
  const std::array<int, 11> squares = {0, 1, -1, 1, 1, 1, -1, -1, -1, 1, -1};  // of a modulo 11
  std::vector<double> b(144, 1);
  for (size_t row = 1; row < 12; ++row) {
    b[row * 12] = -1;
    for (size_t column = 1; column < 12; ++column)
      b[row * 12 + column] = row == column ? 1 : squares[(row + 11 - column) % 11];
  }
  return b;
}

/// Row `x` through the steps, in float64.
std::vector<double> run(const quant::InputTransform& steps, std::vector<double> x) {
  for (const auto& step : steps) {
    std::vector<double> y(x.size());
    if (const auto* factors = std::get_if<quant::ColumnFactors>(&step)) {
      for (size_t k = 0; k < x.size(); ++k)
        y[k] = x[k] * static_cast<double>(factors->factors[k]);
    } else if (const auto* dense = std::get_if<quant::BlockMatrix>(&step)) {
      const auto n = static_cast<size_t>(dense->matrix->size);
      for (size_t k = 0; k < x.size(); ++k)
        for (size_t j = 0; j < n; ++j)
          y[k / n * n + j] += x[k] * static_cast<double>(dense->matrix->values[k % n * n + j]);
    } else {
      const auto& hadamard = std::get<quant::BlockHadamard>(step);
      const auto n = static_cast<size_t>(hadamard.size), base = static_cast<size_t>(hadamard.base);
      for (size_t k = 0; k < x.size(); ++k) {
        for (size_t j = 0; j < n; ++j) {
          const size_t from = hadamard.transposed ? j : k % n, to = hadamard.transposed ? k % n : j;
          const size_t length = n / base;
          const double b = base == 1 ? 1 : hadamard.signs[from / length * base + to / length];
          const double sylvester = std::popcount(from % length & to % length) % 2 == 0 ? 1 : -1;
          y[k / n * n + j] += x[k] * b * sylvester / std::sqrt(static_cast<double>(n));
        }
      }
    }
    x = std::move(y);
  }
  return x;
}

/// That the steps are x -> each block times matrix / divisor, or its transpose.
void expect_matrix(const quant::InputTransform& steps, const std::vector<double>& matrix, size_t n,
                   size_t width, double divisor, bool transposed) {
  std::vector<double> x(width);
  for (size_t k = 0; k < width; ++k)
    x[k] = std::sin(static_cast<double>(3 * k + 1));
  const auto y = run(steps, x);
  for (size_t j = 0; j < width; ++j) {
    double expected = 0;
    for (size_t k = 0; k < n; ++k)
      expected += x[j / n * n + k] * matrix[transposed ? j % n * n + k : k * n + j % n] / divisor;
    ASSERT_NEAR(y[j], expected, 1e-5) << j;
  }
}

TEST(CompressedTensorsTransforms, OneTensorServesItsGroupAndSize) {
  const auto matrix = random_hadamard(24, twelve(), 12);
  const Checkpoint checkpoint(
      config_of(
          {{"v", group("random-hadamard", {use("Linear", "input"), use("Linear", "weight_input", true)})},
           {"u", group("random-hadamard", {use("re:.*b$", "output", true)})}}),
      {floats("m.a", 2, 24), floats("m.b", 24, 24), floats("m.c", 2, 16),
       stored<double>("m.a.v_input.weight", DType::kF64, {24, 24}, matrix),
       stored<float>("m.c.v_input.weight", DType::kF32, {16, 16},
                     [] {
                       const auto wide = random_hadamard(16, {1}, 1);
                       return std::vector<float>(wide.begin(), wide.end());
                     }()),
       stored<double>("m.b.u_output.weight", DType::kF64, {24, 24}, matrix)});
  const auto& reader = *checkpoint.reader;
  const auto a = reader.read("m.a", 2, 24), b = reader.read("m.b", 24, 24), c = reader.read("m.c", 2, 16);
  ASSERT_TRUE(a && b && c) << checkpoint.error_of_read("m.b", 24, 24);
  expect_matrix(a->transform, matrix, 24, 24, std::sqrt(24.), false);
  expect_matrix(b->transform, matrix, 24, 24, std::sqrt(24.), false);
  expect_matrix(b->output_transform, matrix, 24, 24, std::sqrt(24.), true);
  expect_matrix(c->transform, random_hadamard(16, {1}, 1), 16, 16, 4, false);
  EXPECT_TRUE(a->output_transform.empty() &&
              std::holds_alternative<quant::BlockHadamard>(a->transform.back()));
  EXPECT_EQ(std::get<quant::BlockHadamard>(b->transform.back()).base, 12);
  EXPECT_EQ(reader.scheme("m.a", ModuleKind::kLinear)->name(), "f32-transformed");
  EXPECT_EQ(reader.tensor_names("m.a", ModuleKind::kLinear),
            (std::vector<std::string>{"m.a.weight", "m.a.v_input.weight"}));
  EXPECT_EQ(reader.tensor_names("m.b", ModuleKind::kLinear),
            (std::vector<std::string>{"m.b.weight", "m.b.u_output.weight"}));
}

TEST(CompressedTensorsTransforms, HadamardNeedsNoTensor) {
  const Checkpoint checkpoint(config_of({{"R4", group("hadamard", {use({"re:.*down_proj$"}, "input")}, 8)}}),
                              {floats("m.down_proj", 2, 24), floats("m.up_proj", 2, 24)});
  const auto data = checkpoint.reader->read("m.down_proj", 2, 24);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  expect_matrix(
      data->transform,
      [] {
        auto sylvester = random_hadamard(8, {1}, 1);
        for (size_t i = 0; i < 64; ++i)
          sylvester[i] = std::popcount(i / 8 & i % 8) % 2 == 0 ? 1 : -1;
        return sylvester;
      }(),
      8, 24, std::sqrt(8.), false);
  EXPECT_TRUE(checkpoint.reader->read("m.up_proj", 2, 24)->transform.empty());
}

TEST(CompressedTensorsTransforms, RandomMatricesAreTakenAsTheyAre) {
  std::vector<double> matrix(25), inverse(25);
  for (size_t i = 0; i < 25; ++i) {
    matrix[i] = std::cos(static_cast<double>(i));
    inverse[i] = std::sin(static_cast<double>(i));
  }
  const Checkpoint checkpoint(
      config_of({{"R", group("random-matrix", {use("Linear", "input"), use("Linear", "output", true)}, 5)}}),
      {floats("a", 10, 5), floats("b", 5, 10),
       stored<double>("a.R_input.weight", DType::kF64, {5, 5}, matrix),
       stored<double>("a.R_output.weight", DType::kF64, {5, 5}, inverse)});
  const auto a = checkpoint.reader->read("a", 10, 5), b = checkpoint.reader->read("b", 5, 10);
  ASSERT_TRUE(a && b) << checkpoint.error_of_read("b", 5, 10);
  expect_matrix(a->transform, matrix, 5, 5, 1, false);
  expect_matrix(a->output_transform, inverse, 5, 10, 1, false);
  expect_matrix(b->transform, matrix, 5, 10, 1, false);
  expect_matrix(b->output_transform, inverse, 5, 5, 1, false);
  EXPECT_EQ(std::get<quant::BlockMatrix>(a->transform[0]).matrix,
            std::get<quant::BlockMatrix>(b->transform[0]).matrix);
}

TEST(CompressedTensorsTransforms, MatricesThatAreNoHadamardOfOursRunAsTheyAre) {
  auto matrix = random_hadamard(8, {1}, 1);
  std::swap_ranges(matrix.begin(), matrix.begin() + 8, matrix.begin() + 24);  // rows in another order
  for (const bool inverse : {false, true}) {
    const Checkpoint checkpoint(
        config_of({{"v", group("random-hadamard", {use("Linear", "input", inverse)})}}),
        {floats("a", 1, 8), stored<double>("a.v_input.weight", DType::kF64, {8, 8}, matrix)});
    expect_matrix(checkpoint.reader->read("a", 1, 8)->transform, matrix, 8, 8, std::sqrt(8.), inverse);
  }
}

TEST(CompressedTensorsTransforms, HeadsOfAttention) {
  const json uses = {use("re:.*self_attn$", "q_attn"), use("Qwen3Attention", "k_cache")};
  const auto matrix = random_hadamard(8, {1}, 1);
  const Checkpoint checkpoint(
      config_of({{"R3", group("random-hadamard", uses, 8)}}),
      {floats("l.0.self_attn.q_proj", 16, 4),
       stored<double>("l.0.self_attn.R3_q_attn.weight", DType::kF64, {8, 8}, matrix)});
  const auto& reader = *checkpoint.reader;
  const AttentionHeads heads{.query = 4, .key = 2, .dim = 8};
  for (const char* name : {"l.0.self_attn", "l.1.self_attn"}) {
    const auto data = reader.read_attention(name, heads);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    expect_matrix(data->query_transform, matrix, 8, 32, std::sqrt(8.), false);
    expect_matrix(data->key_transform, matrix, 8, 16, std::sqrt(8.), false);
  }
  EXPECT_EQ(reader.attention_tensor_names("l.0.self_attn"),
            std::vector<std::string>{"l.0.self_attn.R3_q_attn.weight"});
  EXPECT_THAT(reader.check_attention("l.0.self_attn", {4, 2, 12}).error().message(),
              HasSubstr("blocks of 8 do not divide 12 columns"));
  EXPECT_TRUE(reader.read("l.0.self_attn.q_proj", 16, 4)->transform.empty());
}

TEST(CompressedTensorsTransforms, TargetsAreTheLibrarys) {
  const json ignore = {"lm_head", "re:.*gone$"};
  const Checkpoint checkpoint(
      config_of({{"v", group("hadamard", {use("Linear", "input", false, ignore)})}}),
      {floats("a", 1, 8), floats("lm_head", 1, 8), floats("a.gone", 1, 8), floats("m.gate", 1, 8)});
  const auto transformed = [&](const char* name) {
    return !checkpoint.reader->read(name, 1, 8)->transform.empty();
  };
  EXPECT_TRUE(transformed("a"));
  EXPECT_FALSE(transformed("lm_head") || transformed("a.gone"));
  EXPECT_FALSE(transformed("m.gate")) << "a router is no Linear";
}

TEST(CompressedTensorsTransforms, WhatDoesNotFitIsNamed) {
  const auto error = [](const json& groups, std::vector<StoredTensor> more = {}) {
    more.push_back(floats("a", 6, 12));
    const Checkpoint checkpoint(config_of(groups), more);
    const auto status = checkpoint.reader->check("a", 6, 12);
    return status.has_value() ? "" : status.error().message();
  };
  EXPECT_THAT(error({{"R", group("hadamard", {use("a", "input")})}}),
              HasSubstr("a Hadamard matrix of 12, expected a power of two"));
  EXPECT_THAT(error({{"R", group("hadamard", {use("a", "output")}, 4)}}),
              HasSubstr("blocks of 4 do not divide 6 columns"));
  EXPECT_THAT(error({{"R", group("random-hadamard", {use("a", "input")})}}),
              HasSubstr("no module of the checkpoint has a [12, 12] matrix of it"));
  EXPECT_THAT(error({{"R", group("random-hadamard", {use("a", "input")})}},
                    {stored<int8_t>("a.R_input.weight", DType::kI8, {12, 12}, std::vector<int8_t>(144))}),
              HasSubstr("a.R_input.weight is I8 [12, 12], expected floats [12, 12]"));
  EXPECT_THAT(error({{"R", group("hadamard", {use("a", "input")}, 4)},
                     {"S", group("hadamard", {use("a", "input")}, 4)}}),
              HasSubstr("transforms R_input and S_input both at \"input\""));
}

TEST(CompressedTensorsTransforms, NumbersThatAreNoneAreFound) {
  const Checkpoint checkpoint(
      config_of({{"R", group("random-matrix", {use("a", "input")})}}),
      {floats("a", 1, 2), stored<double>("a.R_input.weight", DType::kF64, {2, 2}, {1., 2., NAN, 3.})});
  EXPECT_THAT(checkpoint.error_of_read("a", 1, 2), HasSubstr("a.R_input.weight: element [1, 0] is nan"));
}

TEST(CompressedTensorsTransforms, TheConfigIsChecked) {
  const auto error = [](const json& groups) {
    const auto parsed = parse_config(config_of(groups));
    return parsed.has_value() ? "" : parsed.error().message();
  };
  EXPECT_THAT(error({{"R", group("fourier", json::array())}}), HasSubstr("type=fourier, expected hadamard"));
  EXPECT_THAT(error({{"R", group("hadamard", {use("a", "inside")})}}),
              HasSubstr("location=\"inside\", expected input"));
  EXPECT_THAT(error({{"R", group("hadamard", json::array(), 0)}}),
              HasSubstr("head_dim=0, expected 1 or more"));
  EXPECT_THAT(error({{"R", {{"type", "hadamard"}, {"size", 3}}}}), HasSubstr("key \"size\" is unknown"));
  EXPECT_THAT(error({{"R", group("hadamard", 3)}}), HasSubstr("apply=3, expected a list"));
  EXPECT_THAT(error(3), HasSubstr("config_groups=3, expected an object of groups"));
}

TEST(CompressedTensorsTransforms, EmbeddingsAndTiedHeadsAreRefused) {
  const auto error = [](const json& groups) {
    const Checkpoint checkpoint(nullptr, {floats("a", 1, 8)});
    const auto reader = open_weight_reader({{"quantization_config", config_of(groups)}},
                                           checkpoint.directory.path(), *checkpoint.source);
    return reader.has_value() ? "" : reader.error().message();
  };
  EXPECT_THAT(error({{"R", group("hadamard", {use("Embedding", "output")})}}),
              HasSubstr("an online transform of model.embed_tokens"));
  EXPECT_THAT(error({{"R", group("hadamard", {use("Linear", "input", false, json::array())})}}),
              HasSubstr("lm_head, which is tied"));
}

}  // namespace
}  // namespace tessera::formats::compressed_tensors
