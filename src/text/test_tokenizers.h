// Two tiny tokenizers in the forms that models use, for tests only. Both spell every text byte by byte unless
// a merge says otherwise, so a test controls where characters are cut.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "text/tokenizer.h"

namespace tessera::text {

inline nlohmann::json added_token(int id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

/// Byte-level BPE (GPT-2, Llama 3, Qwen): ids 0..255 are the bytes, 256 "he", 257 "ll", 258 "hell" and 259
/// the first two bytes of many emoji; 260 "<s>" and 261 "<|end|>" are special, 262 "<tool>" is added but not
/// special. BOS is put before a text.
inline nlohmann::json byte_level_json() {
  nlohmann::json vocab = nlohmann::json::object();
  int unprintable = 0;
  for (int byte = 0; byte < 256; ++byte) {
    // GPT-2's alphabet: printable Latin-1 stands for itself, the others are numbered from U+0100.
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    const int letter = printable ? byte : 256 + unprintable++;
    vocab[letter < 128 ? std::string(1, static_cast<char>(letter))
                       : std::string{static_cast<char>(0xC0 | (letter >> 6)),
                                     static_cast<char>(0x80 | (letter & 63))}] = byte;
  }
  vocab["he"] = 256;
  vocab["ll"] = 257;
  vocab["hell"] = 258;
  vocab["ðŁ"] = 259;  // F0 9F
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const auto id = [](int type) { return nlohmann::json{{"Sequence", {{"id", "A"}, {"type_id", type}}}}; };
  const nlohmann::json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  return {
      {"version", "1.0"},
      {"truncation",
       {{"direction", "Right"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}}},
      {"padding", nullptr},
      {"added_tokens",
       {added_token(260, "<s>", true), added_token(261, "<|end|>", true), added_token(262, "<tool>", false)}},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {bos, id(0)}},
        {"pair", {bos, id(0), {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {260}}, {"tokens", {"<s>"}}}}}}}},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"vocab", vocab},
        {"merges", {"h e", "l l", "he ll", "ð Ł"}}}}};
}

/// Sentencepiece-like BPE (Llama 2, Mistral): ids 0..255 are "<0x00>".., 256 "▁", 257 "a", 258 "b", 259 "▁a",
/// 260 "</s>". Spaces are "▁", a leading one is put before a text and taken off again.
inline nlohmann::json byte_fallback_json() {
  nlohmann::json vocab = nlohmann::json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocab[fmt::format("<0x{:02X}>", byte)] = byte;
  vocab["▁"] = 256;
  vocab["a"] = 257;
  vocab["b"] = 258;
  vocab["▁a"] = 259;
  const auto replace = [](const char* from, const char* to) {
    return nlohmann::json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", nlohmann::json::array({added_token(260, "</s>", true)})},
      {"normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, replace(" ", "▁")}}}},
      {"pre_tokenizer", nullptr},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders",
         {replace("▁", " "),
          {{"type", "ByteFallback"}},
          {{"type", "Fuse"}},
          {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"vocab", vocab},
        {"merges", nlohmann::json::array({"▁ a"})}}}};
}

inline Tokenizer make_tokenizer(const nlohmann::json& json) {
  auto tokenizer = Tokenizer::from_json(json.dump());
  CHECK(tokenizer.has_value(), "{}", tokenizer.error().message());
  return std::move(*tokenizer);
}

}  // namespace tessera::text
