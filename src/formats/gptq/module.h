// The tensors that one module NAME has in a GPTQ or AutoAWQ checkpoint, and what they say of its size.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/gptq/layout.h"
#include "formats/tensor_source.h"

namespace tessera::formats::gptq {

/// Pointers into the source; nullptr = absent.
struct Module {
  const TensorInfo* weight = nullptr;  // float: a module that was left as it was
  const TensorInfo *qweight = nullptr, *qzeros = nullptr, *scales = nullptr;
  const TensorInfo* g_idx = nullptr;  // [in]: the group of each input
  const TensorInfo* bias = nullptr;

  bool quantized() const { return qweight != nullptr; }
  /// Full names of those that are read.
  std::vector<std::string> names() const;
};

Module find_module(const TensorSource& source, std::string_view name);

/// Of a quantized module, as its tensors say it; in messages only, before they were found to fit.
struct Sizes {
  int bits = 0;
  int64_t out = 0, in = 0, groups = 0;

  int group_size() const { return groups <= 1 ? 0 : static_cast<int>(in / groups); }
};

/// The width of the codes is that of qzeros over that of qweight, the config's where those contradict each
/// other.
Sizes sizes_of(const Module& module, const Layout& layout);

/// Misfits of dtypes and shapes of a quantized module against [out, in]; no data is read.
std::vector<std::string> quantized_misfits(const Module& module, const Layout& layout, int64_t out,
                                           int64_t in);

}  // namespace tessera::formats::gptq
