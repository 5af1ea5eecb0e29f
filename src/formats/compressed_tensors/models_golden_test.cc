// Checkpoints that llmcompressor saved (tools/golden/make_llmcompressor_models.py): every weight,
// dequantized, equals the library's to the bit.
#include "formats/golden_weights.h"

namespace tessera::formats::compressed_tensors {
namespace {

class LlmCompressorGolden : public testing::TestWithParam<const char*> {};

TEST_P(LlmCompressorGolden, WeightsAreTheLibrarys) {
  expect_golden_weights(TESSERA_SOURCE_DIR "/tests/golden/llmcompressor/" + std::string(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Models, LlmCompressorGolden,
                         testing::Values("qwen3-w8a8", "llama-w4a16-spinquant", "qwen3-w4a4-quip",
                                         "qwen3-moe-mixed", "llama-w4a8-matrix", "llama-w8a16-cache"),
                         [](const auto& tested) { return test_name(tested.param); });

}  // namespace
}  // namespace tessera::formats::compressed_tensors
