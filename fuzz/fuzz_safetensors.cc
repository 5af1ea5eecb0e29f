// A whole safetensors file in memory: an accepted header describes exactly the bytes of the file, and experts
// that are stacked in its tensors can be taken apart and read.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "formats/safetensors/header.h"
#include "formats/stacked_experts.h"

namespace {

using namespace tessera;
using namespace tessera::formats;

class MemorySource final : public TensorSource {
 public:
  MemorySource(std::string_view file, std::vector<TensorInfo> tensors)
      : file_(file), tensors_(std::move(tensors)) {}

  using TensorSource::read;
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view name) const override {
    const auto found = std::ranges::find(tensors_, name, &TensorInfo::name);
    return found == tensors_.end() ? nullptr : &*found;
  }
  Status read(const TensorInfo& info, std::span<std::byte> out) const override {
    CHECK(out.size() == info.bytes, "{}: {} bytes for {}", info.name, out.size(), info.bytes);
    CHECK(info.offset <= file_.size() && info.bytes <= file_.size() - info.offset, "{}: {} bytes at {}",
          info.name, info.bytes, info.offset);
    std::memcpy(out.data(), file_.data() + info.offset, out.size());
    return {};
  }

 private:
  std::string_view file_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const auto length = parse_header_length(file.substr(0, 8), file.size(), "fuzz");
  if (!length.has_value()) return 0;
  auto header = parse_header(file.substr(8, *length), file.size(), "fuzz");
  if (!header.has_value()) return 0;
  uint64_t end = 8 + *length;
  for (const TensorInfo& info : header->tensors) {
    CHECK(info.offset == end, "{} begins at {}, expected {}", info.name, info.offset, end);
    CHECK(info.bytes == static_cast<uint64_t>(info.shape.numel()) * dtype_size(info.dtype), "{}", info.name);
    end += info.bytes;
  }
  CHECK(end == file.size(), "ends at {} of {}", end, file.size());
  const auto source = unstack_experts(std::make_unique<MemorySource>(file, std::move(header->tensors)));
  if (!source.has_value()) return 0;
  std::vector<std::byte> out;
  for (const TensorInfo& info : (*source)->tensors()) {
    out.resize(info.bytes);
    if (info.bytes <= size) (void)(*source)->read(info, out).has_value();
  }
  return 0;
}
