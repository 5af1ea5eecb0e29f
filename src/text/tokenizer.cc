#include "text/tokenizer.h"

#include <limits>

#include "base/model_file.h"
#include "text/textkit_call.h"

namespace tessera::text {
namespace {

// The largest in use (Gemma 3, 262,144 tokens) is 33 MB.
constexpr uint64_t kMaxFileBytes = uint64_t{128} << 20;

constexpr uint32_t kMaxId = std::numeric_limits<int32_t>::max();

}  // namespace

void Tokenizer::Free::operator()(tk_tokenizer* handle) const {
  tk_tokenizer_free(handle);
}

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool in_directory = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = in_directory ? path / "tokenizer.json" : path;
  const std::string json = TRY(in_directory ? read_model_text(path, "tokenizer.json", kMaxFileBytes)
                                            : read_text_file(path, kMaxFileBytes));
  return from_json(json).context(file.string());
}

Result<Tokenizer> Tokenizer::from_json(std::string_view json) {
  tk_tokenizer* handle = nullptr;
  RustBytes error;
  TRY_STATUS(status_of(tk_tokenizer_new(json.data(), json.size(), &handle, error.slot()), error,
                       ErrorCode::kDataCorrupt));
  Tokenizer tokenizer{std::unique_ptr<tk_tokenizer, Free>(handle)};
  const size_t size = tk_tokenizer_vocab_size(handle);
  if (size == 0 || size > kMaxId)
    return data_corrupt("tokenizer.json: {} tokens, expected 1 to {}", size, kMaxId);
  tokenizer.vocab_size_ = static_cast<int32_t>(size);
  return tokenizer;
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view utf8, bool add_special_tokens) const {
  RustIds out;
  RustBytes error;
  TRY_STATUS(status_of(tk_tokenizer_encode(handle_.get(), utf8.data(), utf8.size(), add_special_tokens,
                                           out.slot(), error.slot()),
                       error, ErrorCode::kInvalidArgument));
  std::vector<int32_t> ids;
  ids.reserve(out.ids().size());
  for (const uint32_t id : out.ids()) {
    if (id > kMaxId) return data_corrupt("tokenizer.json: token id {}, expected at most {}", id, kMaxId);
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::vector<uint32_t> unsigned_ids;
  unsigned_ids.reserve(ids.size());
  for (const int32_t id : ids) {
    if (id < 0) return invalid_argument("token id {}, expected 0 or more", id);
    unsigned_ids.push_back(static_cast<uint32_t>(id));
  }
  RustBytes out;
  RustBytes error;
  TRY_STATUS(status_of(tk_tokenizer_decode(handle_.get(), unsigned_ids.data(), unsigned_ids.size(),
                                           skip_special_tokens, out.slot(), error.slot()),
                       error, ErrorCode::kInvalidArgument));
  return out.text();
}

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  uint32_t id = 0;
  if (!tk_tokenizer_token_to_id(handle_.get(), token.data(), token.size(), &id) || id > kMaxId) return {};
  return static_cast<int32_t>(id);
}

std::optional<std::string> Tokenizer::id_to_token(int32_t id) const {
  RustBytes out;
  if (id < 0 || !tk_tokenizer_id_to_token(handle_.get(), static_cast<uint32_t>(id), out.slot())) return {};
  return out.text();
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && tk_tokenizer_is_special(handle_.get(), static_cast<uint32_t>(id));
}

}  // namespace tessera::text
