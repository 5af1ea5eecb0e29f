#include "compress/inspect.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>

#include "formats/float_weights.h"
#include "formats/hf/model_dir.h"
#include "formats/weight_format.h"
#include "models/architecture.h"
#include "models/decoder_weights.h"

namespace tessera::compress {
namespace {

using formats::ModuleKind;
using formats::TensorInfo;
using formats::TensorSource;
using formats::WeightReader;

constexpr uint64_t kLoadMargin = uint64_t{256} << 20;  // what a load may take beyond weights and one tensor
constexpr size_t kMaxRefusals = 20;                    // a wrong config is wrong for every layer

struct Linear {
  std::string name;
  int64_t out = 0, in = 0;
  ModuleKind kind = ModuleKind::kLinear;
};

/// "model.layers.12.mlp.experts.3.up_proj" -> "model.layers.*.mlp.experts.*.up_proj", 12.
std::pair<std::string, int> without_numbers(const std::string& name) {
  std::string pattern;
  int first = -1;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool number = !part.empty() && part.size() < 8 &&
                        std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c) != 0; });
    if (number && first < 0) first = std::stoi(part);
    pattern += (begin == 0 ? "" : ".") + (number ? "*" : part);
    begin = end + 1;
  }
  return {pattern, first};
}

/// {0, 1, 2, 5} -> "0-2,5".
std::string ranges_of(const std::set<int>& numbers) {
  std::string text;
  for (auto first = numbers.begin(); first != numbers.end();) {
    auto last = first;
    while (std::next(last) != numbers.end() && *std::next(last) == *last + 1)
      ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", *first);
    if (last != first) text += fmt::format("-{}", *last);
    first = std::next(last);
  }
  return text;
}

class Inspector {
 public:
  Inspector(const TensorSource& source, const WeightReader* reader) : source_(source), reader_(reader) {}

  Inspection run() {
    if (reader_ != nullptr) {
      for (const TensorInfo& info : source_.tensors())
        visit_weight(info);
    }
    for (const TensorInfo& info : source_.tensors()) {
      result_.total_bytes += info.bytes;
      result_.plan.largest_tensor_bytes = std::max(result_.plan.largest_tensor_bytes, info.bytes);
      if (!in_linears_.contains(info.name)) count_loose(info);
    }
    for (auto& [key, entry] : kinds_) {
      entry.kind.layers = ranges_of(entry.layers);
      result_.linears.push_back(std::move(entry.kind));
    }
    return std::move(result_);
  }

 private:
  struct KindEntry {
    LinearKind kind;
    std::set<int> layers;
  };

  /// A 2-D X.weight, X.weight_packed or X.qweight makes X a linear, or an embedding by its name.
  void visit_weight(const TensorInfo& info) {
    for (const std::string_view suffix : {".weight", ".weight_packed", ".qweight"}) {
      if (info.name.ends_with(suffix) && info.shape.rank() == 2) {
        const std::string module = info.name.substr(0, info.name.size() - suffix.size());
        const bool embedding = module.substr(module.rfind('.') + 1).starts_with("embed");
        visit_module(module, info, embedding ? ModuleKind::kEmbedding : ModuleKind::kLinear);
      }
    }
  }

  /// What the reader refuses counts by the dtypes of its tensors: sizes that contradict each other give no
  /// totals.
  void visit_module(const std::string& name, const TensorInfo& info, ModuleKind kind) {
    const auto scheme = reader_->scheme(name, kind);
    if (!scheme.has_value() || kind == ModuleKind::kEmbedding) return;
    const Shape shape = reader_->linear_shape(name).value_or(
        Shape{info.shape[0], input_columns(name, info, scheme->weight.bits)});
    const Linear linear{name, shape[0], shape[1], kind};
    if (reader_->check(name, linear.out, linear.in).has_value()) count_linear(linear, *scheme);
  }

  /// From weight_shape, which the reader checks against the words; a file without it packs whole words.
  int64_t input_columns(const std::string& name, const TensorInfo& info, int bits) const {
    if (!info.name.ends_with("_packed")) return info.shape[1];
    const TensorInfo* shape = source_.find(name + ".weight_shape");
    if (shape != nullptr && shape->dtype == DType::kI64 && shape->shape == Shape{2}) {
      const auto dims = source_.read(shape->name);
      if (dims.has_value() && dims->as<int64_t>()[1] > 0) return dims->as<int64_t>()[1];
    }
    return info.shape[1] * 32 / bits;
  }

  void count_linear(const Linear& linear, const quant::LinearScheme& scheme) {
    SchemeTotals& totals = result_.schemes[scheme.name()];
    uint64_t bytes = 0;
    for (const std::string& tensor : reader_->tensor_names(linear.name, linear.kind)) {
      bytes += source_.find(tensor)->bytes;
      ++totals.tensors;
      in_linears_.insert(tensor);
    }
    ++totals.linears;
    totals.bytes += bytes;
    const auto [pattern, layer] = without_numbers(linear.name);
    KindEntry& entry = kinds_[fmt::format("{} {} {}x{}", pattern, scheme.name(), linear.out, linear.in)];
    entry.kind.name = pattern;
    entry.kind.scheme = scheme.name();
    entry.kind.out = linear.out;
    entry.kind.in = linear.in;
    entry.kind.linears += 1;
    entry.kind.bytes += bytes;
    if (layer >= 0) entry.layers.insert(layer);
  }

  void count_loose(const TensorInfo& info) {
    const bool known_float = formats::is_weight_float(info.dtype);
    std::string name =
        known_float ? formats::float_scheme(info.dtype).name() : std::string(dtype_name(info.dtype));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    SchemeTotals& totals = result_.schemes[name];
    ++totals.tensors;
    totals.bytes += info.bytes;
  }

  const TensorSource& source_;
  const WeightReader* reader_;
  Inspection result_;
  std::unordered_set<std::string> in_linears_;
  std::map<std::string, KindEntry> kinds_;
};

std::string architecture_of(const nlohmann::json& config) {
  const auto list = config.find("architectures");
  if (list == config.end() || !list->is_array() || list->empty() || !list->front().is_string())
    return "unknown";
  return list->front().get<std::string>();
}

/// What loading would be refused for, in the loader's own words, and what it would take: with the default
/// options, float weights in bf16.
void ask_loader(const nlohmann::json& config, const TensorSource& source, const WeightReader& reader,
                Inspection& result) {
  const auto parsed = models::parse_model_config(config);
  if (!parsed.has_value()) {
    result.refusals = {parsed.error().message()};
    return;
  }
  models::DecoderWeights weights;
  const models::Parameters parameters = models::declare(*parsed, weights);
  result.plan.packed_bytes = static_cast<uint64_t>(parameters.planned_bytes(source, reader, {}));
  result.refusals = parameters.misfits(source, reader);
  if (result.refusals.size() > kMaxRefusals) {
    result.refusals.resize(kMaxRefusals);
    result.refusals.emplace_back("... and more");
  }
}

}  // namespace

Result<Inspection> inspect_directory(const std::string& directory) {
  const formats::ModelDir model = TRY(formats::open_model_dir(directory));
  const auto source = TRY(formats::open_safetensors_dir(directory));
  const auto reader = formats::open_weight_reader(model.config, directory, *source);
  Inspection result = Inspector(*source, reader.has_value() ? reader->get() : nullptr).run();
  if (reader.has_value()) {
    ask_loader(model.config, *source, **reader, result);
  } else {
    result.refusals = {reader.error().message()};
  }
  result.plan.peak_bytes = result.plan.packed_bytes + result.plan.largest_tensor_bytes + kLoadMargin;
  result.architecture = architecture_of(model.config);
  result.format = reader.has_value() ? std::string((*reader)->format_name()) : "unsupported";
  return result;
}

}  // namespace tessera::compress
