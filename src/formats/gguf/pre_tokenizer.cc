#include "formats/gguf/pre_tokenizer.h"

#include <array>
#include <string>

namespace tessera::formats::gguf {
namespace {

using nlohmann::json;

constexpr std::string_view kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr PreTokenizer kGpt2{.name = "gpt-2", .split = {}};
constexpr PreTokenizer kSmolLm{.name = "smollm", .split = {}, .single_digits = true};
constexpr PreTokenizer kLlama3{
    .name = "llama-bpe", .split = kLlama3Split, .ignore_merges = true, .adds_bos = true};
constexpr PreTokenizer kQwen2{.name = "qwen2", .split = kQwen2Split, .nfc = true};

struct Alias {
  std::string_view name;
  const PreTokenizer* rules;
};
constexpr std::array<Alias, 9> kNames{{{"smollm", &kSmolLm},
                                       {"gpt-2", &kGpt2},
                                       {"gpt2", &kGpt2},
                                       {"default", &kGpt2},
                                       {"llama-bpe", &kLlama3},
                                       {"llama3", &kLlama3},
                                       {"llama-v3", &kLlama3},
                                       {"qwen2", &kQwen2},
                                       {"deepseek-r1-qwen", &kQwen2}}};

json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

}  // namespace

Result<const PreTokenizer*> find_pre_tokenizer(std::string_view name) {
  std::string known;
  for (const Alias& alias : kNames) {
    if (alias.name == name) return alias.rules;
    known.append(known.empty() ? "" : ", ").append(alias.name);
  }
  return unsupported("pre-tokenizer \"{:.100}\", expected one of {}", name, known);
}

json pre_tokenizer_json(const PreTokenizer& rules) {
  json steps = json::array();
  if (rules.single_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  if (!rules.split.empty()) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", rules.split}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(byte_level(rules.split.empty()));
  if (steps.size() == 1) return steps[0];
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

}  // namespace tessera::formats::gguf
