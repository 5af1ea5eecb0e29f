#include "formats/gguf/import_tokenizer.h"

#include <algorithm>
#include <array>

#include "base/quoted.h"
#include "formats/gguf/pre_tokenizer.h"

namespace tessera::formats::gguf {
namespace {

using nlohmann::json;

// tokenizer.ggml.token_type
constexpr int64_t kControl = 3;
constexpr int64_t kUserDefined = 4;
constexpr int64_t kUnused = 5;

struct Vocabulary {
  const std::vector<std::string>& tokens;
  const std::vector<int64_t>& types;

  // Rows of the embedding without a token: converters name them [PAD151669].
  bool is_unused(size_t id) const {
    return types[id] == kUnused || (types[id] == kUserDefined && tokens[id] == fmt::format("[PAD{}]", id));
  }
  bool is_added(size_t id) const {
    return (types[id] == kControl || types[id] == kUserDefined) && !is_unused(id);
  }
  bool is_special(size_t id) const { return types[id] == kControl; }
};

// All tokens, added ones too: so every id is where the embedding has it, whatever holes the unused ones
// leave.
Result<json> vocab_json(const Vocabulary& vocabulary, const std::string& file) {
  json vocab = json::object();
  auto& map = vocab.get_ref<json::object_t&>();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.is_unused(id)) continue;
    const auto [place, inserted] = map.emplace(vocabulary.tokens[id], id);
    if (!inserted) {
      return data_corrupt("{}: tokenizer.ggml.tokens: the tokens {} and {} are both {}", file,
                          place->second.get<size_t>(), id, quoted_text(place->first));
    }
  }
  return vocab;
}

// "left right" -> ["left", "right"]; both and their concatenation must be tokens, or the tokenizer could not
// be loaded.
Result<json> merges_json(const GgufFile& file, const json& vocab) {
  const auto& merges = *TRY(file.strings("tokenizer.ggml.merges"));
  json pairs = json::array();
  for (const std::string& merge : merges) {
    const size_t space = merge.find(' ', 1);
    const bool pair = space != std::string::npos && space + 1 < merge.size();
    const std::string left = pair ? merge.substr(0, space) : "";
    const std::string right = pair ? merge.substr(space + 1) : "";
    if (!pair || !vocab.contains(left) || !vocab.contains(right) || !vocab.contains(left + right)) {
      return data_corrupt("{}: tokenizer.ggml.merges: {}: expected two tokens that together are a token",
                          file.name(), quoted_text(merge.substr(0, 200)));
    }
    pairs.push_back({left, right});
  }
  return pairs;
}

json added_token_json(const Vocabulary& vocabulary, size_t id) {
  return {{"content", vocabulary.tokens[id]},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", vocabulary.is_special(id)}};
}

Result<std::optional<int64_t>> token_id(const GgufFile& file, std::string_view key,
                                        const Vocabulary& vocabulary) {
  const std::string full_key = fmt::format("tokenizer.ggml.{}", key);
  if (!file.has(full_key)) return std::optional<int64_t>();
  return std::optional(TRY(file.integer(full_key, 0, static_cast<int64_t>(vocabulary.tokens.size()) - 1)));
}

Result<bool> flag(const GgufFile& file, std::string_view key, bool otherwise) {
  return file.has(key) ? file.boolean(key) : Result<bool>(otherwise);
}

// ids: of the special tokens put before and after every text.
json post_processor_json(const Vocabulary& vocabulary, std::optional<int64_t> before,
                         std::optional<int64_t> after) {
  json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}, {"use_regex", true}};
  if (!before && !after) return byte_level;
  json specials = json::object();
  const auto sequence = [&](std::initializer_list<const char*> parts) {
    json pieces = json::array();
    int type_id = 0;
    for (const char* part : parts) {
      const auto add = [&](std::optional<int64_t> id) {
        if (!id) return;
        const std::string& text = vocabulary.tokens[static_cast<size_t>(*id)];
        pieces.push_back({{"SpecialToken", {{"id", text}, {"type_id", type_id}}}});
        specials[text] = {{"id", text}, {"ids", {*id}}, {"tokens", {text}}};
      };
      add(before);
      pieces.push_back({{"Sequence", {{"id", part}, {"type_id", type_id}}}});
      add(after);
      ++type_id;
    }
    return pieces;
  };
  json single = sequence({"A"});
  json pair = sequence({"A", "B"});
  json processor = {
      {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
  return {{"type", "Sequence"}, {"processors", {byte_level, std::move(processor)}}};
}

Result<Vocabulary> read_vocabulary(const GgufFile& file, int64_t vocab_rows) {
  const std::string model = TRY(file.string("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return unsupported("{}: tokenizer.ggml.model=\"{:.100}\", expected \"gpt2\" (byte-level BPE)",
                       file.name(), model);
  }
  const auto& tokens = *TRY(file.strings("tokenizer.ggml.tokens"));
  const auto& types = *TRY(file.integers("tokenizer.ggml.token_type"));
  if (tokens.size() != types.size()) {
    return data_corrupt("{}: {} tokens, but {} token types", file.name(), tokens.size(), types.size());
  }
  if (tokens.empty() || static_cast<int64_t>(tokens.size()) > vocab_rows) {
    return data_corrupt("{}: {} tokens, expected 1 to {}, the rows of token_embd.weight", file.name(),
                        tokens.size(), vocab_rows);
  }
  return Vocabulary{tokens, types};
}

// The ids that end an answer.
Result<std::vector<int64_t>> eos_ids(const GgufFile& file, const Vocabulary& vocabulary) {
  std::vector<int64_t> ids;
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    const auto id = TRY(token_id(file, key, vocabulary));
    if (id && std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
  }
  return ids;
}

Result<json> config_json(const GgufFile& file, const Vocabulary& vocabulary, bool add_bos, bool add_eos) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_prefix_space", false},
                 {"clean_up_tokenization_spaces", false},
                 {"add_bos_token", add_bos},
                 {"add_eos_token", add_eos}};
  constexpr std::array<std::pair<const char*, const char*>, 4> kNamed{{{"bos_token", "bos_token_id"},
                                                                       {"eos_token", "eos_token_id"},
                                                                       {"unk_token", "unknown_token_id"},
                                                                       {"pad_token", "padding_token_id"}}};
  for (const auto& [name, key] : kNamed) {
    const auto id = TRY(token_id(file, key, vocabulary));
    config[name] = id ? json(vocabulary.tokens[static_cast<size_t>(*id)]) : json(nullptr);
  }
  json& added = config["added_tokens_decoder"] = json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.is_added(id)) added[std::to_string(id)] = added_token_json(vocabulary, id);
  }
  if (file.has("tokenizer.chat_template"))
    config["chat_template"] = TRY(file.string("tokenizer.chat_template"));
  return config;
}

json added_tokens_json(const Vocabulary& vocabulary) {
  json added = json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.is_added(id)) continue;
    added.push_back(added_token_json(vocabulary, id));
    added.back()["id"] = id;
  }
  return added;
}

Result<json> model_json(const GgufFile& file, const Vocabulary& vocabulary, const PreTokenizer& rules) {
  json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", rules.ignore_merges}};
  model["vocab"] = TRY(vocab_json(vocabulary, file.name()));
  model["merges"] = TRY(merges_json(file, model["vocab"]));
  return model;
}

}  // namespace

Result<ImportedTokenizer> import_tokenizer(const GgufFile& file, int64_t vocab_rows) {
  const Vocabulary vocabulary = TRY(read_vocabulary(file, vocab_rows));
  const std::string rules_name = TRY(file.string("tokenizer.ggml.pre"));
  const PreTokenizer& rules =
      *TRY(find_pre_tokenizer(rules_name).context(file.name() + ": tokenizer.ggml.pre"));

  ImportedTokenizer result;
  result.bos_id = TRY(token_id(file, "bos_token_id", vocabulary));
  result.pad_id = TRY(token_id(file, "padding_token_id", vocabulary));
  result.eos_ids = TRY(eos_ids(file, vocabulary));
  const bool add_bos = TRY(flag(file, "tokenizer.ggml.add_bos_token", rules.adds_bos));
  const bool add_eos = TRY(flag(file, "tokenizer.ggml.add_eos_token", false));
  if (add_bos && !result.bos_id) return data_corrupt("{}: adds a bos token, but names none", file.name());
  if (add_eos && result.eos_ids.empty()) {
    return data_corrupt("{}: adds an eos token, but names none", file.name());
  }
  result.tokenizer_config = TRY(config_json(file, vocabulary, add_bos, add_eos));
  result.tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens_json(vocabulary)},
      {"normalizer", rules.nfc ? json({{"type", "NFC"}}) : json(nullptr)},
      {"pre_tokenizer", pre_tokenizer_json(rules)},
      {"post_processor", post_processor_json(vocabulary, add_bos ? result.bos_id : std::nullopt,
                                             add_eos ? std::optional(result.eos_ids.front()) : std::nullopt)},
      {"decoder",
       {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}}};
  // Not in the list above: initializer lists copy, and these are 150,000 entries.
  result.tokenizer["model"] = TRY(model_json(file, vocabulary, rules));
  return result;
}

}  // namespace tessera::formats::gguf
