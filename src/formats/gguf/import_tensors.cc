#include "formats/gguf/import_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "tensor/float_convert.h"

namespace tessera::formats::gguf {
namespace {

constexpr int64_t kChunkElements = 4 << 20;  // 16 MiB of float32

class Planner {
 public:
  Planner(const GgufFile& file, const ImportedConfig& config, DType dtype)
      : file_(file), config_(config), dtype_(dtype) {}

  void add(const TensorRule& rule, const std::string& gguf_prefix, const std::string& hf_prefix) {
    const std::string name = gguf_prefix + std::string(rule.gguf);
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      misfits_.push_back(fmt::format("{} is missing", name));
      return;
    }
    used_.insert(name);
    std::vector<int64_t> shape;
    for (int axis = 0; axis < rule.rank; ++axis) {
      shape.push_back(config_.dims[static_cast<size_t>(rule.shape[static_cast<size_t>(axis)])]);
    }
    if (shape != tensor->shape) {
      misfits_.push_back(fmt::format("{} has the shape {}, expected {}", name, tensor->shape, shape));
      return;
    }
    if (rule.per_expert()) {
      for (int64_t expert = 0; expert < shape[0]; ++expert) {
        push(rule, *tensor, hf_prefix + fmt::format(fmt::runtime(rule.hf), expert), expert * shape[1],
             Shape({shape[1], shape[2]}));
      }
    } else {
      push(rule, *tensor, hf_prefix + std::string(rule.hf), 0,
           shape.size() == 1 ? Shape({shape[0]}) : Shape({shape[0], shape[1]}));
    }
  }

  void add_layer(int64_t layer) {
    const std::string gguf = fmt::format("blk.{}.", layer);
    const std::string hf = fmt::format("model.layers.{}.", layer);
    for (const TensorRule& rule : config_.architecture->attention)
      add(rule, gguf, hf);
    for (const TensorRule& rule : config_.architecture->mlp)
      add(rule, gguf, hf);
    if (!config_.biases) return;
    for (const TensorRule& rule : config_.architecture->biases)
      add(rule, gguf, hf);
  }

  /// Tensors that no rule took. rope_freqs.weight went into rope_scaling.
  void list_leftovers() {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (!used_.contains(tensor.name) && tensor.name != "rope_freqs.weight") {
        misfits_.push_back(fmt::format("{} is not a tensor of {}", tensor.name, config_.architecture->gguf));
      }
    }
  }

  Result<std::vector<TensorPlan>> take() && {
    if (misfits_.empty()) return std::move(plan_);
    constexpr size_t kShown = 10;
    const size_t shown = std::min(misfits_.size(), kShown);
    const std::string more =
        misfits_.size() > shown ? fmt::format(" and {} more", misfits_.size() - shown) : "";
    return data_corrupt("{}: {}{}", file_.name(), fmt::join(std::span(misfits_).first(shown), "; "), more);
  }

 private:
  void push(const TensorRule& rule, const GgufTensor& tensor, std::string hf_name, int64_t first_row,
            Shape shape) {
    const bool vector = shape.rank() == 1;
    const bool paired = rule.paired_rows && config_.architecture->paired_rows;
    plan_.push_back({.source = &tensor,
                     .first_row = first_row,
                     .rows = vector ? 1 : shape[0],
                     .paired_head_dim = paired ? config_.dims[static_cast<size_t>(Dim::kHead)] : 0,
                     .target = {std::move(hf_name), dtype_, shape}});
  }

  const GgufFile& file_;
  const ImportedConfig& config_;
  DType dtype_;
  std::vector<TensorPlan> plan_;
  std::vector<std::string> misfits_;
  std::unordered_set<std::string> used_;
};

// In units of `width` elements (a row of a matrix, or one element of a bias): unit 2*i + j of a head in the
// file is unit j*head_dim/2 + i of the model, as undoes llama.cpp's permute() of q_proj and k_proj.
void undo_pairs(std::span<const float> in, int64_t head_dim, int64_t width, std::span<float> out) {
  const int64_t half = head_dim / 2;
  const auto units = static_cast<int64_t>(in.size()) / width;
  CHECK(units % head_dim == 0, "{} rows in heads of {}", units, head_dim);
  for (int64_t unit = 0; unit < units; ++unit) {
    const int64_t head = unit / head_dim;
    const int64_t within = unit % head_dim;
    const int64_t source = head * head_dim + within % half * 2 + within / half;
    std::copy_n(in.begin() + source * width, width, out.begin() + unit * width);
  }
}

Status append_as(SafetensorsWriter& writer, const TensorSpec& target, std::span<const float> values,
                 std::vector<uint16_t>& narrow) {
  if (target.dtype == DType::kF32) return writer.append(target.name, std::as_bytes(values));
  CHECK(target.dtype == DType::kBF16, "dtype {}", dtype_name(target.dtype));
  narrow.resize(values.size());
  std::ranges::transform(values, narrow.begin(), f32_to_bf16);
  return writer.append(target.name, std::as_bytes(std::span(narrow)));
}

}  // namespace

Result<std::vector<TensorPlan>> plan_tensors(const GgufFile& file, const ImportedConfig& config,
                                             DType dtype) {
  Planner planner(file, config, dtype);
  const bool tied = config.config.at("tie_word_embeddings").get<bool>();
  const auto global = global_rules();
  for (const TensorRule& rule : tied ? global.first(global.size() - 1) : global)
    planner.add(rule, "", "");
  for (int64_t layer = 0; layer < config.layers; ++layer)
    planner.add_layer(layer);
  planner.list_leftovers();
  return std::move(planner).take();
}

Status convert_tensors(const GgufFile& file, std::span<const TensorPlan> plan, SafetensorsWriter& writer,
                       Progress& progress) {
  std::vector<std::byte> scratch;
  std::vector<float> values;
  std::vector<float> reordered;
  std::vector<uint16_t> narrow;
  for (const TensorPlan& item : plan) {
    const int64_t cols = item.source->cols();
    // Whole heads in a chunk, so that their rows can be put in order.
    const int64_t unit = item.rows == 1 ? 1 : std::max<int64_t>(1, item.paired_head_dim);
    const int64_t chunk_rows = std::max<int64_t>(1, kChunkElements / (cols * unit)) * unit;
    for (int64_t row = 0; row < item.rows; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, item.rows - row);
      values.resize(static_cast<size_t>(count * cols));
      TRY_STATUS(file.read_rows(*item.source, item.first_row + row, count, scratch, values)
                     .context(item.source->name));
      if (item.paired_head_dim > 0) {
        reordered.resize(values.size());
        undo_pairs(values, item.paired_head_dim, item.rows == 1 ? 1 : cols, reordered);
      }
      TRY_STATUS(append_as(writer, item.target, item.paired_head_dim > 0 ? reordered : values, narrow));
      progress.advance(static_cast<uint64_t>(count) * item.source->row_bytes(), item.target.name);
    }
  }
  return {};
}

}  // namespace tessera::formats::gguf
