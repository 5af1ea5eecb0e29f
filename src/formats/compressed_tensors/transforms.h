// Transforms: what transform_config means for one module. The transforms on weights are in the weights; the
// online ones become steps of quant::InputTransform:
//
//   hadamard          Sylvester's matrix / sqrt(n), whatever the file says
//   random-hadamard   the file's matrix / sqrt(n); it is a small matrix (x) Sylvester with signs, which runs
//                     in n log n
//   random-matrix     the file's matrix
//
// n is the group's "head_dim", or the whole width; narrower matrices act block by block. "inverse" means the
// transpose; an inverse random-matrix has a tensor of its own. All modules of a group and a size share one
// tensor, MODULE.GROUP_LOCATION.weight, which the library writes under one of their names only.
// (compressed_tensors/transform/factory, utils/matrix.py.) Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/targets.h"
#include "formats/compressed_tensors/transform_config.h"
#include "formats/compressed_tensors/transform_matrix.h"
#include "formats/tensor_source.h"
#include "quant/input_transform.h"

namespace tessera::formats::compressed_tensors {

/// Where a transform might act: on a module that its class in Python names as well.
struct TransformSite {
  std::string_view module, class_name;
  TransformLocation location;
};

class Transforms {
 public:
  /// kInvalidArgument for a regex that is none. `source` outlives it.
  static Result<std::unique_ptr<const Transforms>> create(std::vector<TransformGroup> groups,
                                                          const TensorSource& source);

  bool any(const TransformSite& site) const { return !uses_at(site).empty(); }
  /// The tensors of the module's own for it that are in the file.
  std::vector<std::string> tensor_names(const TransformSite& site) const;
  /// What speaks against transforming rows of `width` there; reads no data.
  std::vector<std::string> misfits(const TransformSite& site, int64_t width) const;
  /// For rows of `repeats` times `width`; empty when there is none. After the misfits were found to be none.
  Result<quant::InputTransform> steps(const TransformSite& site, int64_t width, int64_t repeats = 1) const;

 private:
  /// An online entry of "apply".
  struct Use {
    size_t group;
    TransformLocation location;
    bool inverse;
    NameSet targets, ignore;
    std::string local_name;  // of the transform within its module: "R4_input"
  };
  /// What modules share a tensor by: group, size, and for random matrices whether it is the inverse.
  using Key = std::tuple<size_t, int64_t, bool>;

  Transforms(std::vector<TransformGroup> groups, const TensorSource& source)
      : groups_(std::move(groups)), source_(source) {}
  Status add_uses(size_t group);
  void find_tensors();
  std::vector<const Use*> uses_at(const TransformSite& site) const;
  Key key_of(const Use& use, int64_t size) const;
  int64_t size_of(const Use& use, int64_t width) const;
  const TensorInfo* tensor_of(const Use& use, std::string_view module, int64_t size) const;
  Result<const TransformMatrix*> matrix_of(const Use& use, const TensorInfo& info) const;

  std::vector<TransformGroup> groups_;
  const TensorSource& source_;
  std::vector<Use> uses_;
  std::map<Key, const TensorInfo*> tensors_;  // the first of each
  mutable std::mutex mutex_;
  mutable std::map<std::pair<const TensorInfo*, bool>, TransformMatrix> matrices_;  // by tensor, transposed
};

}  // namespace tessera::formats::compressed_tensors
