// ScaledSource: a float checkpoint with folds (fold.h) carried out: the same function, other channels. Norms
// are rounded to the dtype that they are stored in, and the columns behind them multiplied by what really
// became of them. Tensors are computed when they are read, and those that a fold touches are F32.
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compress/smooth/fold.h"
#include "formats/tensor_source.h"

namespace tessera::compress {

class ScaledSource final : public formats::TensorSource {
 public:
  /// `source` outlives this. kUnsupported naming a tensor that a fold speaks of and that is not there, or is
  /// not as wide as the fold.
  static Result<std::unique_ptr<ScaledSource>> make(const formats::TensorSource& source,
                                                    std::vector<ScaledFold> folds);

  std::span<const formats::TensorInfo> tensors() const override { return infos_; }
  const formats::TensorInfo* find(std::string_view name) const override;
  using TensorSource::read;
  Status read(const formats::TensorInfo& info, std::span<std::byte> out) const override;
  Status check_unchanged() const override { return source_.check_unchanged(); }

 private:
  /// What becomes of one tensor; null: nothing.
  struct Treatment {
    const ScaledFold* rows = nullptr;     // divided
    const ScaledFold* columns = nullptr;  // multiplied
  };

  ScaledSource(const formats::TensorSource& source, std::vector<ScaledFold> folds)
      : source_(source), folds_(std::move(folds)) {}
  /// The tensor called `name`, if there is one, treated by `fold` as well.
  Status divide(const std::string& name, const ScaledFold& fold);
  Status multiply(const std::string& name, const ScaledFold& fold);
  Result<size_t> touch(const std::string& name);
  Status settle_norm(ScaledFold& fold);

  const formats::TensorSource& source_;
  std::vector<ScaledFold> folds_;
  std::vector<formats::TensorInfo> infos_;  // as source_'s
  std::vector<Treatment> treatments_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace tessera::compress
