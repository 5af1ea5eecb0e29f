// What a variant of attention gives for one cache type. Internal to this folder.
#pragma once

#include "kernels/attention/attention.h"

namespace tessera::kernels {

struct AttentionFunctions {
  void (*whole)(const AttentionArgs& args);
  void (*split)(const AttentionArgs& args, int64_t split, float* partials);
  void (*merge)(const AttentionArgs& args, const float* partials);
};

}  // namespace tessera::kernels
