// The quantization types of ModelSlim that we run, as facts. A table of constants; thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera::formats::modelslim {

/// How a byte of X.weight may hold its codes.
struct Storages {
  bool bytes = true;              // [N, K], one code per byte
  bool pairs_of_rows = false;     // [N/2, K], low nibble = even row
  bool pairs_of_columns = false;  // [N, K/2], low nibble = even column
};

struct TypeFacts {
  std::string_view name;
  int weight_bits;      // 16: float
  int activation_bits;  // 16: not quantized
  Storages storages;
  bool static_input = false;  // input_scale, input_offset, deq_scale, quant_bias
  bool has_weight_scale = true;
  bool kronecker = false;  // left_trans, right_trans, clip_ratio
};

/// nullptr for a type that we do not run.
const TypeFacts* find_type(std::string_view name);

std::span<const TypeFacts> types();

/// "FLOAT, W8A8, ...", for messages.
std::string supported_types();

}  // namespace tessera::formats::modelslim
