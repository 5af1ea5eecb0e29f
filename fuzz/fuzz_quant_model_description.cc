// A quant_model_description.json of any origin over tensors of every kind that the format knows: opening,
// naming schemes, checking and reading end in an answer or an error; what check() lets pass, read() decodes
// to the shape asked for.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "formats/modelslim/reader.h"

namespace {

using namespace tessera;
using namespace tessera::formats;

constexpr int64_t kOut = 2, kIn = 6;

/// Modules m, s (behind factors) and f (float), all tensors of every scheme, filled with ones.
class OnesSource final : public TensorSource {
 public:
  OnesSource() {
    for (const std::string module : {"m", "s.linear"}) {
      add(module + ".weight", DType::kI8, {kOut, kIn});
      for (const char* name : {".weight_scale", ".weight_offset"})
        add(module + name, DType::kF32, {kOut, 1});
      for (const char* name : {".weight_scale_second", ".weight_offset_second"})
        add(module + name, DType::kF32, {kOut, 2});
      for (const char* name : {".input_scale", ".input_offset", ".clip_ratio"})
        add(module + name, DType::kF32, {1});
      add(module + ".deq_scale", DType::kF32, {kOut});
      add(module + ".quant_bias", DType::kI32, {kOut});
      add(module + ".left_trans", DType::kF32, {2, 2});
      add(module + ".right_trans", DType::kF32, {3, 3});
      add(module + ".bias", DType::kF32, {kOut});
    }
    add("s.div.mul_scale", DType::kF32, {kIn});
    add("f.weight", DType::kF32, {kOut, kIn});
  }

  using TensorSource::read;
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view name) const override {
    for (const TensorInfo& info : tensors_) {
      if (info.name == name) return &info;
    }
    return nullptr;
  }
  Status read(const TensorInfo& info, std::span<std::byte> out) const override {
    const float one = 1;
    for (size_t at = 0; at < out.size(); at += dtype_size(info.dtype)) {
      if (info.dtype == DType::kF32) {
        std::memcpy(&out[at], &one, sizeof(one));
      } else {
        std::memset(&out[at], 0, dtype_size(info.dtype));
        out[at] = std::byte{1};
      }
    }
    return {};
  }

 private:
  void add(std::string name, DType dtype, Shape shape) {
    const auto bytes = static_cast<uint64_t>(shape.numel()) * dtype_size(dtype);
    tensors_.push_back({.name = std::move(name), .dtype = dtype, .shape = shape, .bytes = bytes});
  }
  std::vector<TensorInfo> tensors_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const OnesSource source;
  const auto reader = modelslim::make_reader({reinterpret_cast<const char*>(data), size}, "fuzz", source);
  if (!reader.has_value()) return 0;
  for (const std::string_view name : {"m", "s", "f", "nowhere"}) {
    const auto scheme = (*reader)->scheme(name, ModuleKind::kLinear);
    for (const std::string& tensor : (*reader)->tensor_names(name, ModuleKind::kLinear))
      CHECK(source.find(tensor) != nullptr, "{} is not there", tensor);
    (void)(*reader)->linear_shape(name);
    const auto status = (*reader)->check(name, kOut, kIn);
    const auto linear = (*reader)->read(name, kOut, kIn);
    CHECK(!linear.has_value() || status.has_value(), "{} was read, but refused", name);
    CHECK(!linear.has_value() || linear->scheme == *scheme, "{}: read as {}", name, linear->scheme.name());
    CHECK(!linear.has_value() || linear->values.shape() == (Shape{kOut, kIn}), "{}: another shape", name);
  }
  return 0;
}
