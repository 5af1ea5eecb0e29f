#include "formats/tensor_source.h"

namespace tessera::formats {

Result<Tensor> TensorSource::read(std::string_view name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) return not_found("{}: no tensor of this name in the checkpoint", name);
  Tensor tensor = TRY(Tensor::allocate(info->dtype, info->shape));
  TRY_STATUS(read(*info, tensor.raw()));
  return tensor;
}

}  // namespace tessera::formats
