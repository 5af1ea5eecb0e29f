#include "formats/awq/format.h"

#include <algorithm>
#include <cctype>

#include "formats/compressed_tensors/json_fields.h"
#include "formats/gptq/reader.h"

namespace tessera::formats::awq {
namespace {

using compressed_tensors::Fields;

bool matches(const nlohmann::json& config, const std::string& directory) {
  const auto found = gptq::find_description(config, directory, kFormat.name);
  return !found.has_value() || found->has_value();  // a file that cannot be read: open() says so
}

Result<std::unique_ptr<WeightReader>> open(const nlohmann::json& config, const std::string& directory,
                                           const TensorSource& source) {
  const auto description = TRY(gptq::find_description(config, directory, kFormat.name));
  if (!description) return not_found("{}: no quant_config.json", directory);
  return gptq::make_reader(TRY(parse_config(*description)), source);
}

/// AutoAWQ's own file has other names for some keys of transformers' quantization_config.
std::string_view known_key(const Fields& fields, std::string_view key, std::string_view old_key) {
  return fields.find(key) == nullptr && fields.find(old_key) != nullptr ? old_key : key;
}

/// In lower case; GPTQModel calls it format.
Result<std::string> version_of(const Fields& fields) {
  auto version = TRY(fields.text(known_key(fields, "version", "format"), "gemm"));
  std::ranges::transform(version, version.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return version;
}

}  // namespace

const WeightFormat kFormat{
    .name = "awq", .matches = matches, .open = open, .stored_schemes = [] {
      return std::vector<StoredScheme>{
          {"gemm, 4-bit", {.weight = {.bits = 4, .group_size = 128, .symmetric = false}, .activation = {}}}};
    }};

Result<gptq::Layout> parse_config(const gptq::Description& description) {
  const Fields fields(description.fields, description.where);
  std::vector<std::string> problems;
  gptq::Layout layout{.format = kFormat.name, .packing = gptq::Packing::kOutputs};
  const auto version = TRY(version_of(fields));
  if (version != "gemm") problems.push_back(fmt::format("version=\"{:.80}\"", version));
  const auto backend = TRY(fields.text("backend", "autoawq"));
  if (backend == "llm-awq") problems.emplace_back("backend=\"llm-awq\"");
  layout.bits = TRY(fields.integer(known_key(fields, "bits", "w_bit"), 4));
  if (layout.bits != 4) problems.push_back(fmt::format("bits={}", layout.bits));
  const auto group_key = known_key(fields, "group_size", "q_group_size");
  const int group_size = TRY(fields.integer(group_key, 128));
  if (group_size < -1 || group_size == 0) return fields.wrong(group_key, "-1 or a positive number");
  layout.group_size = std::max(0, group_size);
  static_cast<void>(TRY(fields.boolean("zero_point", true)));
  static_cast<void>(TRY(fields.texts("modules_to_not_convert")));
  if (problems.empty()) return layout;
  return unsupported("{} has {}, which is not supported; expected version \"gemm\" with 4 bits",
                     description.where, fmt::join(problems, "; "));
}

}  // namespace tessera::formats::awq
