// PrefixSource: the tensors of another source whose names begin with a prefix. The other one outlives it.
// Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "formats/tensor_source.h"

namespace tessera::formats {

class PrefixSource final : public TensorSource {
 public:
  PrefixSource(const TensorSource& source, std::string prefix) : source_(source), prefix_(std::move(prefix)) {
    for (const TensorInfo& info : source.tensors()) {
      if (info.name.starts_with(prefix_)) infos_.push_back(info);
    }
  }

  std::span<const TensorInfo> tensors() const override { return infos_; }
  const TensorInfo* find(std::string_view name) const override {
    return name.starts_with(prefix_) ? source_.find(name) : nullptr;
  }
  using TensorSource::read;
  Status read(const TensorInfo& info, std::span<std::byte> out) const override {
    return source_.read(info, out);
  }
  void will_read(const TensorInfo& info) const override { source_.will_read(info); }
  Status check_unchanged() const override { return source_.check_unchanged(); }

 private:
  const TensorSource& source_;
  std::string prefix_;
  std::vector<TensorInfo> infos_;
};

}  // namespace tessera::formats
