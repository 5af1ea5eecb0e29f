// Checkpoints that the msmodelslim library saved (tools/golden/make_modelslim_models.py): every weight,
// dequantized, equals the library's to the bit.
#include "formats/golden_weights.h"

namespace tessera::formats::modelslim {
namespace {

class ModelSlimGolden : public testing::TestWithParam<const char*> {};

TEST_P(ModelSlimGolden, WeightsAreTheLibrarys) {
  expect_golden_weights(TESSERA_SOURCE_DIR "/tests/golden/modelslim/" + std::string(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Models, ModelSlimGolden,
                         testing::Values("qwen3-w4a4-w8a8", "qwen3-c8", "qwen3-static", "qwen3-flatquant",
                                         "qwen3-moe-split", "qwen3-moe-v0"),
                         [](const auto& tested) { return test_name(tested.param); });

}  // namespace
}  // namespace tessera::formats::modelslim
