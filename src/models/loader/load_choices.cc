#include "models/loader/load_choices.h"

namespace tessera::models {
namespace {

Result<ops::FloatKind> parse_float_kind(const std::string& dtype) {
  if (dtype == "auto" || dtype == "bfloat16") return ops::FloatKind::kBf16;
  if (dtype == "float32" || dtype == "float") return ops::FloatKind::kF32;
  return unsupported("--dtype {}: expected auto, bfloat16 or float32", dtype);
}

}  // namespace

Result<ops::PackOptions> parse_packing(const std::string& dtype, const std::string& layout) {
  if (!layout.empty() && layout != "nz" && layout != "nd")
    return unsupported("--weight-layout {}: expected nz or nd", layout);
  return ops::PackOptions{.kind = TRY(parse_float_kind(dtype)),
                          .layout = layout == "nd" ? ops::WeightLayout::kNd : ops::WeightLayout::kNz};
}

}  // namespace tessera::models
