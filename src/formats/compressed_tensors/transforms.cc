#include "formats/compressed_tensors/transforms.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

namespace tessera::formats::compressed_tensors {

Result<std::unique_ptr<const Transforms>> Transforms::create(std::vector<TransformGroup> groups,
                                                             const TensorSource& source) {
  std::unique_ptr<Transforms> transforms(new Transforms(std::move(groups), source));
  for (size_t group = 0; group < transforms->groups_.size(); ++group) {
    TRY_STATUS(transforms->add_uses(group).context(
        fmt::format("quantization_config.transform_config.{}", transforms->groups_[group].name)));
  }
  transforms->find_tensors();
  return std::unique_ptr<const Transforms>(std::move(transforms));
}

Status Transforms::add_uses(size_t group) {
  for (const TransformUse& use : groups_[group].uses) {
    if (!is_online(use.location)) continue;
    uses_.push_back({.group = group,
                     .location = use.location,
                     .inverse = use.inverse,
                     .targets = TRY(NameSet::create(use.targets)),
                     .ignore = TRY(NameSet::create(use.ignore)),
                     .local_name = fmt::format("{}_{}", groups_[group].name, location_name(use.location))});
  }
  size_t patterns = 0;
  for (const Use& use : uses_)
    patterns += use.targets.patterns() + use.ignore.patterns();
  if (uses_.size() <= NameSet::kMaxPatterns && patterns <= NameSet::kMaxPatterns) return {};
  return invalid_argument("{} entries of {} regexes, expected at most {} of each", uses_.size(), patterns,
                          NameSet::kMaxPatterns);
}

/// Tensors MODULE.LOCAL_NAME.weight that are square.
void Transforms::find_tensors() {
  std::unordered_multimap<std::string_view, const Use*> by_name;
  for (const Use& use : uses_)
    by_name.emplace(use.local_name, &use);
  if (by_name.empty()) return;
  constexpr std::string_view kSuffix = ".weight";
  for (const TensorInfo& info : source_.tensors()) {
    if (!info.name.ends_with(kSuffix)) continue;
    const std::string_view path(info.name.data(), info.name.size() - kSuffix.size());
    const size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) continue;
    const auto [first, last] = by_name.equal_range(path.substr(dot + 1));
    const bool square = info.shape.rank() == 2 && info.shape[0] == info.shape[1] && is_float(info.dtype);
    if (first == last || !square) continue;
    const Key key = key_of(*first->second, info.shape[0]);
    // Which of a random matrix and its inverse this is, its name may not tell.
    if (std::all_of(first, last,
                    [&](const auto& found) { return key_of(*found.second, info.shape[0]) == key; }))
      tensors_.try_emplace(key, &info);
  }
}

Transforms::Key Transforms::key_of(const Use& use, int64_t size) const {
  const bool own_inverse = use.inverse && groups_[use.group].type == TransformType::kRandomMatrix;
  return {use.group, size, own_inverse};
}

int64_t Transforms::size_of(const Use& use, int64_t width) const {
  const int block = groups_[use.group].block_size;
  return block == 0 ? width : block;
}

std::vector<const Transforms::Use*> Transforms::uses_at(const TransformSite& site) const {
  std::vector<const Use*> found;
  for (const Use& use : uses_) {
    if (use.location == site.location && use.targets.contains(site.module, site.class_name) &&
        !use.ignore.contains(site.module, site.class_name))
      found.push_back(&use);
  }
  return found;
}

/// The module's own, else the one that all of its kind share.
const TensorInfo* Transforms::tensor_of(const Use& use, std::string_view module, int64_t size) const {
  if (const TensorInfo* own = source_.find(fmt::format("{}.{}.weight", module, use.local_name))) return own;
  const auto shared = tensors_.find(key_of(use, size));
  return shared == tensors_.end() ? nullptr : shared->second;
}

std::vector<std::string> Transforms::tensor_names(const TransformSite& site) const {
  std::vector<std::string> names;
  for (const Use* use : uses_at(site)) {
    std::string name = fmt::format("{}.{}.weight", site.module, use->local_name);
    if (source_.find(name) != nullptr) names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> Transforms::misfits(const TransformSite& site, int64_t width) const {
  const auto uses = uses_at(site);
  if (uses.empty()) return {};
  const Use& use = *uses.front();
  if (uses.size() > 1) {
    return {
        fmt::format("transforms {} and {} both at \"{}\", expected one: the file does not tell their order",
                    use.local_name, uses[1]->local_name, location_name(site.location))};
  }
  const int64_t size = size_of(use, width);
  if (width % size != 0)
    return {fmt::format("transform {}: blocks of {} do not divide {} columns", use.local_name, size, width)};
  if (groups_[use.group].type == TransformType::kHadamard) {
    if (std::has_single_bit(static_cast<uint64_t>(size))) return {};
    return {
        fmt::format("transform {}: a Hadamard matrix of {}, expected a power of two", use.local_name, size)};
  }
  const TensorInfo* info = tensor_of(use, site.module, size);
  if (info == nullptr) {
    return {fmt::format("transform {}: no module of the checkpoint has a [{}, {}] matrix of it",
                        use.local_name, size, size)};
  }
  if (info->shape == Shape{size, size} && is_float(info->dtype)) return {};
  return {fmt::format("{} is {} {}, expected floats [{}, {}]", info->name, dtype_name(info->dtype),
                      info->shape.to_string(), size, size)};
}

Result<const TransformMatrix*> Transforms::matrix_of(const Use& use, const TensorInfo& info) const {
  const bool is_hadamard = groups_[use.group].type == TransformType::kRandomHadamard;
  const std::pair key(&info, is_hadamard && use.inverse);
  const std::lock_guard lock(mutex_);
  auto found = matrices_.find(key);
  if (found == matrices_.end()) {
    const Tensor stored = TRY(source_.read(info.name));
    found =
        matrices_.emplace(key, TRY(TransformMatrix::make(stored, is_hadamard, key.second).context(info.name)))
            .first;
  }
  return &found->second;
}

Result<quant::InputTransform> Transforms::steps(const TransformSite& site, int64_t width,
                                                int64_t repeats) const {
  const auto uses = uses_at(site);
  if (uses.empty()) return quant::InputTransform();
  const Use& use = *uses.front();
  const int64_t size = size_of(use, width);
  if (groups_[use.group].type == TransformType::kHadamard)
    return quant::InputTransform{quant::BlockHadamard{.size = size}};
  const TransformMatrix* matrix = TRY(matrix_of(use, *tensor_of(use, site.module, size)));
  return matrix->steps(width * repeats);
}

}  // namespace tessera::formats::compressed_tensors
