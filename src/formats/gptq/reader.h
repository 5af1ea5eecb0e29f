// The WeightReader of checkpoints that pack transposed weights into words (layout.h). Weight-only:
// activations stay float.
#pragma once

#include <memory>

#include "formats/gptq/layout.h"
#include "formats/weight_format.h"

namespace tessera::formats::gptq {

/// `source` outlives it; `layout.format` is a constant.
std::unique_ptr<WeightReader> make_reader(const Layout& layout, const TensorSource& source);

}  // namespace tessera::formats::gptq
