#include "formats/gptq/format.h"

#include <nlohmann/json.hpp>

#include "formats/gptq/config.h"
#include "formats/gptq/reader.h"

namespace tessera::formats::gptq {
namespace {

bool matches(const nlohmann::json& config, const std::string& directory) {
  const auto found = find_description(config, directory, kFormat.name);
  return !found.has_value() || found->has_value();  // a file that cannot be read: open() says so
}

Result<std::unique_ptr<WeightReader>> open(const nlohmann::json& config, const std::string& directory,
                                           const TensorSource& source) {
  const auto description = TRY(find_description(config, directory, kFormat.name));
  if (!description) return not_found("{}: no quantize_config.json", directory);
  return make_reader(TRY(parse_config(*description)), source);
}

std::vector<StoredScheme> stored_schemes() {
  std::vector<StoredScheme> schemes;
  for (const int bits : kWidths) {
    for (const bool symmetric : {true, false}) {
      for (const int group : {128, 0}) {
        schemes.push_back({fmt::format("{}-bit{}{}", bits, symmetric ? "" : " with zero points",
                                       group == 0 ? " per channel" : ""),
                           {.weight = {.bits = kept_width(bits), .group_size = group, .symmetric = symmetric},
                            .activation = {}}});
      }
    }
  }
  return schemes;
}

}  // namespace

const WeightFormat kFormat{
    .name = "gptq", .matches = matches, .open = open, .stored_schemes = stored_schemes};

}  // namespace tessera::formats::gptq
