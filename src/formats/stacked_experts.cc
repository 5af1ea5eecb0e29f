#include "formats/stacked_experts.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tessera::formats {
namespace {

constexpr int64_t kMaxExperts = 65536;
constexpr size_t kMaxParts = 500'000;
constexpr std::string_view kGateUp = "gate_up_proj", kDown = "down_proj";
constexpr std::array<std::string_view, 4> kProjections = {kGateUp, "gate_proj", "up_proj", kDown};
constexpr std::array<std::string_view, 2> kHalves = {"gate_proj", "up_proj"};

/// PREFIX.experts.PROJECTION or PREFIX.experts.PROJECTION.KIND.
struct StackedName {
  std::string_view experts, projection, kind;
};

std::optional<StackedName> parse_name(std::string_view name) {
  constexpr std::string_view kExperts = ".experts.";
  const size_t at = name.rfind(kExperts);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = name.substr(at + kExperts.size());
  const size_t dot = std::min(rest.find('.'), rest.size());
  StackedName parsed{name.substr(0, at + kExperts.size()), rest.substr(0, dot),
                     dot == rest.size() ? "weight" : rest.substr(dot + 1)};
  if (std::ranges::find(kProjections, parsed.projection) == kProjections.end()) return std::nullopt;
  return parsed;
}

/// Where the bytes of an offered tensor come from.
struct Part {
  enum class How : uint8_t {
    kRange,   // as they lie
    kTurned,  // columns [column, column + rows of the part) of the slice, as rows
    kShape    // two numbers, out of three in the file: rows over `halves`, columns
  };
  How how = How::kRange;
  TensorInfo slice;  // the bytes to read
  int64_t column = 0, halves = 1;
};

class UnstackedSource final : public TensorSource {
 public:
  UnstackedSource(std::unique_ptr<TensorSource> source, std::vector<TensorInfo> tensors,
                  std::unordered_map<std::string, Part> parts)
      : source_(std::move(source)), tensors_(std::move(tensors)), parts_(std::move(parts)) {
    for (const TensorInfo& info : tensors_) {
      if (!index_.emplace(info.name, &info).second) duplicate_ = info.name;
    }
  }

  /// A name that is there twice; empty: none.
  std::string_view duplicate() const { return duplicate_; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view name) const override {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : found->second;
  }
  using TensorSource::read;
  Status read(const TensorInfo& info, std::span<std::byte> out) const override {
    const Part* found = part_of(info);
    if (found == nullptr) return source_->read(info, out);
    const Part& part = *found;
    if (part.how == Part::How::kRange) return source_->read(part.slice, out);
    Tensor slice = TRY(Tensor::allocate(part.slice.dtype, part.slice.shape));
    TRY_STATUS(source_->read(part.slice, slice.raw()));
    if (part.how == Part::How::kTurned) {
      turn(slice, part.column, info.shape, out);
      return {};
    }
    const auto dims = slice.as<int64_t>();
    const std::array<int64_t, 2> shape{dims[dims.size() - 2] / part.halves, dims[dims.size() - 1]};
    std::memcpy(out.data(), shape.data(), sizeof(shape));
    return {};
  }

  void will_read(const TensorInfo& info) const override {
    const Part* part = part_of(info);
    source_->will_read(part == nullptr ? info : part->slice);
  }
  Status check_unchanged() const override { return source_->check_unchanged(); }

 private:
  const Part* part_of(const TensorInfo& info) const {
    const auto found = parts_.find(info.name);
    return found == parts_.end() ? nullptr : &found->second;
  }

  /// out [rows, columns] = columns [first, first + rows) of slice [columns, ...].
  static void turn(const Tensor& slice, int64_t first, const Shape& shape, std::span<std::byte> out) {
    const size_t size = dtype_size(slice.dtype());
    const int64_t rows = shape[0], columns = shape[1], stride = slice.shape()[1];
    std::byte* to = out.data();
    for (int64_t row = 0; row < rows; ++row) {
      const std::byte* from = slice.data() + static_cast<size_t>(first + row) * size;
      for (int64_t column = 0; column < columns; ++column, to += size)
        std::memcpy(to, from + static_cast<size_t>(column * stride) * size, size);
    }
  }

  std::unique_ptr<TensorSource> source_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, Part> parts_;
  std::unordered_map<std::string_view, const TensorInfo*> index_;
  std::string_view duplicate_;
};

/// The tensors of a source, the stacked ones taken apart.
class Unstacking {
 public:
  explicit Unstacking(const TensorSource& source) : source_(source) {}

  Status add(const TensorInfo& info) {
    const auto name = parse_name(info.name);
    const TensorInfo* weight = name ? weight_of(*name) : nullptr;
    if (weight == nullptr) {
      tensors.push_back(info);
      return {};
    }
    const int64_t experts = weight->shape[0];
    const bool fused = name->projection == kGateUp;
    for (int64_t expert = 0; expert < experts; ++expert) {
      for (size_t half = 0; half < (fused ? 2U : 1U); ++half) {
        const std::string_view projection = fused ? kHalves.at(half) : name->projection;
        const std::string offered = fmt::format("{}{}.{}.{}", name->experts, expert, projection, name->kind);
        const bool made = TRY(add_part(info, *name, *weight, expert, static_cast<int64_t>(half), offered));
        if (made) continue;
        tensors.push_back(info);  // no expert's: left for the loader to name
        return {};
      }
    }
    return {};
  }

  std::vector<TensorInfo> tensors;
  std::unordered_map<std::string, Part> parts;

 private:
  /// The stacked weight that a tensor belongs to; nullptr when it is not stacked.
  const TensorInfo* weight_of(const StackedName& name) const {
    for (const std::string_view kind : {"", ".weight", ".weight_packed"}) {
      const TensorInfo* info = source_.find(fmt::format("{}{}{}", name.experts, name.projection, kind));
      if (info != nullptr && info->shape.rank() == 3 && info->shape.numel() > 0 &&
          info->shape[0] <= kMaxExperts)
        return info;
    }
    return nullptr;
  }

  /// Whether the layer's experts are [in, out]. Only fused ones can tell: 2I goes with I.
  Result<bool> is_turned(const StackedName& name, const TensorInfo& weight) const {
    const TensorInfo* gate_up = weight_of({name.experts, kGateUp, "weight"});
    const TensorInfo* down = weight_of({name.experts, kDown, "weight"});
    if (!is_float(weight.dtype) || gate_up == nullptr || down == nullptr) return false;
    const Shape &wide = gate_up->shape, &narrow = down->shape;
    if (wide[1] == 2 * narrow[2] && wide[2] == narrow[1]) return false;
    if (wide[2] == 2 * narrow[1] && wide[1] == narrow[2]) return true;
    return data_corrupt(
        "{} {} with {} {}, expected [{} experts, 2 * width, hidden] with [.., hidden, width], or both turned",
        gate_up->name, wide.to_string(), down->name, narrow.to_string(), wide[0]);
  }

  /// False when the tensor has no part for each expert.
  Result<bool> add_part(const TensorInfo& info, const StackedName& name, const TensorInfo& weight,
                        int64_t expert, int64_t half, const std::string& offered) {
    const int64_t experts = weight.shape[0], halves = name.projection == kGateUp ? 2 : 1;
    Part part{.slice = info, .halves = halves};
    Shape shape;
    if (name.kind == "weight_shape") {
      if (info.dtype != DType::kI64 || info.shape.rank() != 1 || info.shape[0] < 2 || info.shape[0] > 3)
        return false;
      part.how = Part::How::kShape;
      shape = Shape{2};
    } else {
      if (info.shape.rank() < 1 || info.shape.rank() > 3 || info.shape[0] != experts) return false;
      part.slice.bytes = info.bytes / static_cast<uint64_t>(experts);
      part.slice.offset += static_cast<uint64_t>(expert) * part.slice.bytes;
      shape = TRY(cut(info, name, weight, half, part));
    }
    if (parts.size() == kMaxParts) return resource_exhausted("more than {} tensors of experts", kMaxParts);
    TensorInfo offered_info = part.slice;
    offered_info.name = offered;
    offered_info.shape = shape;
    offered_info.bytes = static_cast<uint64_t>(shape.numel()) * dtype_size(info.dtype);
    tensors.push_back(std::move(offered_info));
    parts.emplace(offered, std::move(part));
    return true;
  }

  /// The half's shape, and what of an expert's slice it is.
  Result<Shape> cut(const TensorInfo& info, const StackedName& name, const TensorInfo& weight, int64_t half,
                    Part& part) const {
    const Shape& stacked = info.shape;
    if (stacked.rank() == 1) return Shape{1};
    const int64_t rows = stacked[1], columns = stacked.rank() == 3 ? stacked[2] : 1;
    const auto with_rows = [&](int64_t count) {
      return stacked.rank() == 3 ? Shape{count, columns} : Shape{count};
    };
    part.slice.shape = with_rows(rows);
    if (info.name == weight.name && TRY(is_turned(name, weight))) {
      part.how = Part::How::kTurned;
      part.column = half * columns / part.halves;
      return Shape{columns / part.halves, rows};
    }
    // What there is once for each row, or each block of rows, of gate and up; the rest they share.
    const bool of_rows = rows > 1 && weight.shape[1] % rows == 0 && name.kind != "weight_g_idx";
    const bool packed_zeros = name.kind == "weight_zero_point" && info.dtype == DType::kI32;
    if (part.halves == 1 || !(of_rows || packed_zeros)) return part.slice.shape;
    const bool whole_words = !packed_zeros || rows * 32 % weight.shape[1] == 0;
    if (rows % 2 != 0 || !whole_words) {
      return unsupported("{}: {}, expected rows of gate and up that can be told apart", info.name,
                         stacked.to_string());
    }
    part.slice.bytes /= 2;
    part.slice.offset += static_cast<uint64_t>(half) * part.slice.bytes;
    part.slice.shape = with_rows(rows / 2);
    return part.slice.shape;
  }

  const TensorSource& source_;
};

}  // namespace

Result<std::unique_ptr<TensorSource>> unstack_experts(std::unique_ptr<TensorSource> source) {
  Unstacking unstacking(*source);
  for (const TensorInfo& info : source->tensors())
    TRY_STATUS(unstacking.add(info));
  if (unstacking.parts.empty()) return source;
  auto unstacked = std::make_unique<UnstackedSource>(std::move(source), std::move(unstacking.tensors),
                                                     std::move(unstacking.parts));
  if (!unstacked->duplicate().empty())
    return data_corrupt("{}: there twice, alone and stacked with other experts", unstacked->duplicate());
  return std::unique_ptr<TensorSource>(std::move(unstacked));
}

}  // namespace tessera::formats
