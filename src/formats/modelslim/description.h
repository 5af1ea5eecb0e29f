// quant_model_description.json of a ModelSlim checkpoint: a flat object that gives every tensor of the
// directory its quantization type ("W8A8_DYNAMIC", "FLOAT") and a few keys about the whole model. Parsing
// checks types and limits and keeps what it does not know by name, so that all of it can be refused at once.
// Plain data, thread-safe to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace tessera::formats::modelslim {

class Description {
 public:
  static constexpr size_t kMaxBytes = size_t{256} << 20;
  static constexpr size_t kMaxTypes = 256;  // the format has about 30

  /// `text` is the file's, `name` opens every message.
  static Result<Description> parse(std::string_view text, std::string_view name);

  /// Type of a tensor, by its full name; empty when the description does not name it.
  std::string_view type_of(std::string_view tensor) const;
  /// Names of all described tensors, in no particular order.
  std::vector<std::string_view> tensors() const;

  /// Has the key "version": files of the V1 saver, which packs 4-bit columns in pairs.
  bool versioned() const { return versioned_; }

  /// What it says about the whole model that we do not run, one phrase each; empty when all of it is
  /// supported.
  const std::vector<std::string>& unsupported_features() const { return unsupported_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  std::vector<std::string> types_;  // each once: there are 100,000 tensors of five types
  std::unordered_map<std::string, uint16_t, Hash, std::equal_to<>> type_of_;
  std::vector<std::string> unsupported_;
  bool versioned_ = false;
};

/// The directory's description: the one file quant_model_description*.json (older files end in the type, as
/// in quant_model_description_w8a8.json). nullopt when there is none; kInvalidArgument naming them when there
/// are several.
Result<std::optional<std::filesystem::path>> find_description(const std::filesystem::path& directory);

}  // namespace tessera::formats::modelslim
