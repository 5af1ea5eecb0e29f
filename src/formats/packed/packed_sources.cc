#include "formats/packed/packed_sources.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/model_file.h"
#include "formats/safetensors/header.h"
#include "formats/safetensors/index.h"

namespace tessera::formats {
namespace {

namespace fs = std::filesystem;

/// Whether the weights depend on a file of this name: not on tokenizers and templates.
bool decides_weights(std::string_view name) {
  if (name.ends_with(".safetensors")) return true;
  return name.ends_with(".json") &&
         (name == "config.json" || name.starts_with("quant") || name.ends_with(".safetensors.index.json"));
}

/// Of a safetensors file the header (as far as it claims to go), of others everything.
Result<uint64_t> digest_of(const InputFile& file, bool is_safetensors) {
  uint64_t bytes = file.size();
  if (is_safetensors) {
    std::string first(std::min<uint64_t>(file.size(), sizeof(uint64_t)), '\0');
    TRY_STATUS(file.read_at(0, std::as_writable_bytes(std::span(first))));
    bytes = first.size() + TRY(parse_header_length(first, file.size(), file.path().string()));
  } else if (bytes > kMaxIndexBytes) {
    return resource_exhausted("{}: {} bytes, expected at most {}", file.path().string(), bytes,
                              kMaxIndexBytes);
  }
  std::vector<std::byte> head(bytes);
  TRY_STATUS(file.read_at(0, head));
  return checksum(head);
}

}  // namespace

Result<std::vector<SourceFile>> list_sources(const fs::path& directory) {
  std::vector<SourceFile> sources;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!decides_weights(name)) continue;
    const InputFile file = TRY(open_model_file(directory, name));
    sources.push_back({.name = name,
                       .bytes = file.size(),
                       .modified = file.modified_seconds(),
                       .digest = TRY(digest_of(file, name.ends_with(".safetensors")))});
  }
  if (error) return not_found("{}: cannot be listed: {}", directory.string(), error.message());
  std::ranges::sort(sources, {}, &SourceFile::name);
  return sources;
}

std::string first_difference(std::span<const SourceFile> then, std::span<const SourceFile> now) {
  for (const SourceFile& old : then) {
    const auto found = std::ranges::find(now, old.name, &SourceFile::name);
    if (found == now.end()) return fmt::format("{} is no longer there", old.name);
    if (found->bytes != old.bytes)
      return fmt::format("{} has {} bytes, expected {}", old.name, found->bytes, old.bytes);
    if (found->digest != old.digest) return fmt::format("{} has another content", old.name);
    if (found->modified != old.modified)
      return fmt::format("{} was written at {} s, expected {} s (since 1970)", old.name, found->modified,
                         old.modified);
  }
  for (const SourceFile& file : now) {
    if (std::ranges::find(then, file.name, &SourceFile::name) == then.end())
      return fmt::format("{} is new", file.name);
  }
  return "";
}

}  // namespace tessera::formats
