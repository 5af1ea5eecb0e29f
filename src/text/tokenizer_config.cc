#include "text/tokenizer_config.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/model_file.h"

namespace tessera::text {
namespace {

using Json = nlohmann::json;

// Llama 3's lists 256 reserved tokens in 50 KB; templates take up to 20 KB.
constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;
constexpr uint64_t kMaxTemplateBytes = uint64_t{128} << 10;
// Of JSON: added_tokens_decoder nests 3 levels, and has 8 values for each token.
constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 4'000'000;

/// Discarded values cost no memory: `[[],[],...` would take 16 bytes for one.
Result<Json> parse_bounded(std::string_view json) {
  size_t values = 0;
  bool within = true;
  const auto count = [&](int depth, Json::parse_event_t, const Json&) {
    within = within && depth <= kMaxDepth && ++values <= kMaxValues;
    return within;
  };
  // The library takes a NUL byte for the end and would ignore what follows.
  const bool whole = json.find('\0') == std::string_view::npos;
  Json config = whole ? Json::parse(json, count, /*allow_exceptions=*/false) : Json();
  if (!within) {
    return resource_exhausted("tokenizer_config.json: expected at most {} levels and {} values of JSON",
                              kMaxDepth, kMaxValues);
  }
  if (!config.is_object()) return data_corrupt("tokenizer_config.json: not a JSON object");
  return config;
}

// "<s>", {"content": "<s>", ...} or null.
Status read_token(const Json& config, const char* key, std::optional<std::string>& out) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return {};
  const Json* token = &*found;
  if (token->is_object() && token->contains("content")) token = &(*token)["content"];
  if (!token->is_string()) {
    return data_corrupt(
        "tokenizer_config.json: {} is a JSON {}, expected a string or an object with \"content\"", key,
        found->type_name());
  }
  out = token->get<std::string>();
  return {};
}

Status read_flag(const Json& config, const char* key, bool& out) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return {};
  if (!found->is_boolean())
    return data_corrupt("tokenizer_config.json: {} is a JSON {}, expected true or false", key,
                        found->type_name());
  out = found->get<bool>();
  return {};
}

// "text", or [{"name": "default", "template": "text"}, ...].
Status read_templates(const Json& config, TokenizerConfig& out) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return {};
  if (found->is_string()) {
    out.chat_template = found->get<std::string>();
    return {};
  }
  const auto is_text = [](const Json& entry, const char* key) {
    return entry.contains(key) && entry[key].is_string();
  };
  if (!found->is_array())
    return data_corrupt("tokenizer_config.json: chat_template is a JSON {}, expected a string or a list",
                        found->type_name());
  for (const Json& entry : *found) {
    if (!entry.is_object() || !is_text(entry, "name") || !is_text(entry, "template"))
      return data_corrupt("tokenizer_config.json: chat_template holds an entry without name and template");
    auto name = entry["name"].get<std::string>();
    auto source = entry["template"].get<std::string>();
    if (name == "default") {
      out.chat_template = std::move(source);
    } else {
      out.named_chat_templates.emplace_back(std::move(name), std::move(source));
    }
  }
  return {};
}

}  // namespace

Result<TokenizerConfig> TokenizerConfig::from_json(std::string_view json) {
  const Json config = TRY(parse_bounded(json));
  TokenizerConfig out;
  TRY_STATUS(read_token(config, "bos_token", out.bos_token));
  TRY_STATUS(read_token(config, "eos_token", out.eos_token));
  TRY_STATUS(read_token(config, "pad_token", out.pad_token));
  TRY_STATUS(read_token(config, "unk_token", out.unk_token));
  TRY_STATUS(read_flag(config, "add_bos_token", out.add_bos_token));
  TRY_STATUS(read_templates(config, out));
  return out;
}

Result<TokenizerConfig> TokenizerConfig::from_texts(const std::string* json,
                                                    const std::string* chat_template) {
  TokenizerConfig config;
  if (json != nullptr) config = TRY(from_json(*json));
  if (chat_template != nullptr) config.chat_template = *chat_template;
  return config;
}

Result<TokenizerConfig> TokenizerConfig::load(const std::filesystem::path& directory) {
  TokenizerConfig config;
  std::error_code ignored;
  if (std::filesystem::exists(directory / "tokenizer_config.json", ignored)) {
    const std::string json = TRY(read_model_text(directory, "tokenizer_config.json", kMaxConfigBytes));
    auto parsed = from_json(json).context(directory.string());
    config = TRY(std::move(parsed));
  }
  if (std::filesystem::exists(directory / "chat_template.jinja", ignored))
    config.chat_template = TRY(read_model_text(directory, "chat_template.jinja", kMaxTemplateBytes));
  return config;
}

SpecialTokens TokenizerConfig::special_tokens() const {
  SpecialTokens out;
  const std::array<std::pair<const char*, const std::optional<std::string>*>, 4> roles = {
      {{"bos_token", &bos_token},
       {"eos_token", &eos_token},
       {"unk_token", &unk_token},
       {"pad_token", &pad_token}}};
  for (const auto& [role, token] : roles) {
    if (*token) out.emplace_back(role, **token);
  }
  return out;
}

}  // namespace tessera::text
