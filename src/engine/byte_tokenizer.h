// A tokenizer for tests, in which token 0..255 is that byte, 256 is "<eos>" and 257 is "<end>" (both
// special): what a test wants said, it scripts byte by byte, half characters included. Real byte-level BPE
// without merges; only tests include it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace tessera::engine {

constexpr int32_t kByteVocab = 258;
constexpr int32_t kEos = 256;
constexpr int32_t kEnd = 257;

inline std::string byte_tokenizer_json() {
  std::string vocab;
  int unprintable = 0;
  for (int byte = 0; byte < 256; ++byte) {
    // GPT-2's alphabet: printable Latin-1 stands for itself, the others are numbered from U+0100.
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    vocab += fmt::format("\"\\u{:04x}\":{},", printable ? byte : 256 + unprintable++, byte);
  }
  const auto special = [](int32_t id, std::string_view content) {
    return fmt::format(
        R"({{"id":{},"content":"{}","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}})",
        id, content);
  };
  return fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{},{}],"normalizer":null,)"
      R"("pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}},)"
      R"("post_processor":null,)"
      R"("decoder":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}},)"
      R"("model":{{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,)"
      R"("end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,)"
      R"("vocab":{{{}"<eos>":256,"<end>":257}},"merges":[]}}}})",
      special(kEos, "<eos>"), special(kEnd, "<end>"), vocab);
}

/// The token ids of `text`: its bytes.
inline std::vector<int32_t> bytes_of(std::string_view text) {
  std::vector<int32_t> ids;
  for (const char c : text)
    ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

}  // namespace tessera::engine
