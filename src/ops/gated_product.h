// silu(gate(x)) * up(x), the wide half of an MLP, tile by tile: the tile's gates and ups are multiplied while
// they are in the cache, so neither is written out and read again. A worker's scratch: one user at a time.
#pragma once

#include "ops/linear.h"
#include "ops/scratch_rows.h"

namespace tessera::ops {

/// An MLP: down(silu(gate(x)) * up(x)). gate and up [intermediate, hidden], down [hidden, intermediate], in
/// schemes that need not be equal. The linears outlive this.
struct GatedLinears {
  const Linear* gate = nullptr;
  const Linear* up = nullptr;
  const Linear* down = nullptr;
};

class GatedProduct {
 public:
  /// The tile's part of y [rows, intermediate]. `gate_x` and `up_x` are x in the form that each linear reads.
  void run(const GatedLinears& mlp, const Operand& gate_x, const Operand& up_x, const Tile& tile,
           MatrixView<float> y);

 private:
  ScratchRows scratch_;
};

}  // namespace tessera::ops
