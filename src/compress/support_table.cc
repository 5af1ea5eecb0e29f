#include "compress/support_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "formats/compressed_tensors/config.h"
#include "formats/gguf/ggml_type.h"
#include "formats/modelslim/writer.h"
#include "formats/weight_format.h"
#include "models/architecture.h"
#include "ops/weights/weight_table.h"
#include "quant/recipe.h"

namespace tessera::compress {
namespace {

// A width that every group size divides, as those of real models.
constexpr int64_t kColumns = 4096;

/// Schemes that run alike: one row.
struct Row {
  std::string stored, runs_as, kernel, written_by;
};

std::string kernel_of(const quant::LinearScheme& scheme) {
  const auto kind = ops::choose_weight_kind(scheme, kColumns, {});
  return kind.has_value() ? std::string((*kind)->name) : "nothing";
}

bool writes(const quant::RecipePart& part, std::string_view format, const formats::StoredScheme& stored) {
  if (format == "compressed-tensors")
    return stored.name == fmt::format("W{}A{}", part.weight_bits, part.activation_bits);
  if (format != "modelslim") return false;
  const auto type = formats::modelslim::type_for(part.scheme(0));
  return type.has_value() && *type == stored.name;
}

/// The --scheme of `quantize` that write such weights, for some linears at least.
std::string written_by(std::string_view format, const formats::StoredScheme& stored) {
  std::vector<std::string_view> names;
  for (const std::string_view name : quant::recipe_names()) {
    const auto recipe = quant::find_recipe(name);
    const bool any =
        std::ranges::any_of(recipe->parts, [&](const auto& part) { return writes(part, format, stored); });
    if (any) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<Row> rows_of(const formats::WeightFormat& format) {
  std::vector<Row> rows;
  for (const formats::StoredScheme& stored : format.stored_schemes()) {
    Row row{stored.name, stored.runs_as.name(), kernel_of(stored.runs_as), written_by(format.name, stored)};
    const auto same = std::ranges::find_if(rows, [&](const Row& other) {
      return other.runs_as == row.runs_as && other.written_by == row.written_by;
    });
    if (same == rows.end()) {
      rows.push_back(std::move(row));
    } else {
      same->stored += ", " + row.stored;
    }
  }
  return rows;
}

template <class List, class Name>
std::string names_of(const List& list, const Name& name) {
  std::vector<std::string_view> names;
  for (const auto& item : list)
    names.push_back(name(item));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string support_tables() {
  std::string text = "| | |\n|---|---|\n";
  text += fmt::format(
      "| architectures | {} |\n",
      names_of(models::architectures(), [](const auto* architecture) { return architecture->name; }));
  text +=
      fmt::format("| compressed-tensors formats | {} |\n",
                  names_of(formats::compressed_tensors::storage_formats(), [](auto name) { return name; }));
  text += fmt::format("| types of GGUF imported | {} |\n\n",
                      names_of(formats::gguf::supported_types(), [](const auto& type) { return type.name; }));
  text +=
      "| checkpoint | weights as it names them | run as | by kernel | written by `quantize --scheme` "
      "|\n|---|---|---|---|---|\n";
  for (const formats::WeightFormat* format : formats::weight_formats()) {
    const std::string_view name = format->name == "none" ? "float" : format->name;
    for (const Row& row : rows_of(*format))
      text += fmt::format("| {} | {} | `{}` | {} | {} |\n", name, row.stored, row.runs_as, row.kernel,
                          row.written_by);
  }
  return text;
}

}  // namespace tessera::compress
