// For a span around a product: the kernel that runs it.
#pragma once

#include "base/timeline.h"
#include "ops/linear.h"

namespace tessera::ops {

inline SpanNote kernel_note(const Linear& linear) {
  return {.name = "kernel", .text = linear.weights().kernel()};
}

}  // namespace tessera::ops
