#include "tensor/tensor.h"

namespace tessera {

Result<Tensor> Tensor::allocate(DType dtype, Shape shape) {
  const int64_t elements = TRY(shape.checked_numel());
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(elements), dtype_size(dtype), &bytes)) {
    return data_corrupt("shape {} of {} has more bytes than 64 bits count", shape.to_string(),
                        dtype_name(dtype));
  }
  return Tensor(dtype, shape, TRY(AlignedBuffer::allocate(bytes)));
}

}  // namespace tessera
