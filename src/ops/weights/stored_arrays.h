// The arrays that packed weights are stored as in a packed file, and the buffers that they are again: the
// file's memory, not a copy.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"

namespace tessera::ops {

using StoredArrays = std::span<const std::span<const std::byte>>;

/// One buffer for each array. kDataCorrupt unless there are `sizes.size()` arrays of these sizes in bytes.
inline Result<std::vector<AlignedBuffer>> borrow_arrays(StoredArrays arrays,
                                                        std::initializer_list<size_t> sizes) {
  if (arrays.size() != sizes.size())
    return data_corrupt("stored in {} arrays, expected {}", arrays.size(), sizes.size());
  std::vector<AlignedBuffer> buffers;
  for (const size_t size : sizes) {
    const std::span<const std::byte> array = arrays[buffers.size()];
    if (array.size() != size)
      return data_corrupt("array {} has {} bytes, expected {}", buffers.size(), array.size(), size);
    buffers.push_back(AlignedBuffer::borrow(array));
  }
  return buffers;
}

}  // namespace tessera::ops
