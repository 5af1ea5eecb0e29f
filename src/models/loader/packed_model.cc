#include "models/loader/packed_model.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/checksum.h"
#include "base/log.h"
#include "formats/hf/model_dir.h"
#include "formats/packed/packed_sources.h"
#include "models/architecture.h"
#include "models/decoder_weights.h"
#include "models/loader/load_choices.h"
#include "models/loader/quantize_at_load.h"

namespace tessera::models {
namespace {

namespace fs = std::filesystem;

using Choices = std::map<std::string, std::string>;

/// What weights depend on beside their sources, as the file records it.
Result<Choices> choices_of(const LoadOptions& options) {
  const ops::PackOptions packing = TRY(parse_packing(options.dtype, options.weight_layout));
  return Choices{{"dtype", packing.kind == ops::FloatKind::kBf16 ? "bfloat16" : "float32"},
                 {"weight-layout", packing.layout == ops::WeightLayout::kNz ? "nz" : "nd"},
                 {"quantization", options.quantization}};
}

/// Options that were left to their defaults take what the file has.
Status check_choices(const formats::PackedFile& file, const LoadOptions& options) {
  const Choices wanted = TRY(choices_of(options));
  const formats::PackedContents& contents = file.contents();
  const auto check = [&](const std::string& name, bool given) -> Status {
    const auto found = contents.options.find(name);
    if (found == contents.options.end())
      return data_corrupt("{}: does not say its {}", file.map().path().string(), name);
    if (!given || found->second == wanted.at(name)) return {};
    return invalid_argument("{}: packed with --{} {}, expected {}", file.map().path().string(), name,
                            found->second.empty() ? "\"\"" : found->second, wanted.at(name));
  };
  TRY_STATUS(check("dtype", options.dtype != "auto"));
  TRY_STATUS(check("weight-layout", !options.weight_layout.empty()));
  return check("quantization", !options.quantization.empty() && options.quantization != contents.format);
}

Status check_sources(const formats::PackedFile& file, const std::string& directory) {
  const auto now = TRY(formats::list_sources(directory));
  const std::string difference = formats::first_difference(file.contents().sources, now);
  if (difference.empty()) return {};
  return invalid_argument("{}: stale: in {}, {}", file.map().path().string(), directory, difference);
}

Result<std::unique_ptr<const formats::PackedFile>> open_checked(const fs::path& path,
                                                                const LoadOptions& options) {
  auto file = std::make_unique<const formats::PackedFile>(TRY(formats::PackedFile::open(path)));
  TRY_STATUS(check_choices(*file, options));
  if (!options.model_path.empty()) TRY_STATUS(check_sources(*file, options.model_path));
  return file;
}

/// One process at a time makes a cache's file; others wait and then find it.
class CacheLock {
 public:
  static Result<CacheLock> take(const fs::path& path) {
    CacheLock lock;
    lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock.fd_ < 0 || flock(lock.fd_, LOCK_EX) != 0)
      return invalid_argument("{}: cannot be locked: {}", path.string(), std::strerror(errno));
    return lock;
  }
  CacheLock(CacheLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  CacheLock& operator=(CacheLock&&) = delete;
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;
  ~CacheLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  CacheLock() = default;
  int fd_ = -1;
};

/// A name of its own for every directory and choice, which begins with the directory's so that people know
/// it.
Result<fs::path> cache_path(const LoadOptions& options) {
  std::error_code error;
  const fs::path model = fs::canonical(options.model_path, error);
  if (error) return not_found("{}: {}", options.model_path, error.message());
  std::string identity = model.string();
  for (const auto& [name, value] : TRY(choices_of(options)))
    identity += fmt::format(" --{} {}", name, value);
  const uint64_t digest = checksum(std::as_bytes(std::span(identity.data(), identity.size())));
  return fs::path(options.packed_cache) / fmt::format("{}-{:016x}.packed", model.filename().string(), digest);
}

Result<std::unique_ptr<const formats::PackedFile>> open_cached(const LoadOptions& options) {
  if (options.model_path.empty())
    return invalid_argument("--packed-cache {}: expected --model-path too, to pack from",
                            options.packed_cache);
  std::error_code error;
  fs::create_directories(options.packed_cache, error);
  if (error)
    return invalid_argument("--packed-cache {}: cannot be made: {}", options.packed_cache, error.message());
  const fs::path path = TRY(cache_path(options));
  if (auto found = open_checked(path, options)) return found;
  const CacheLock lock = TRY(CacheLock::take(path.string() + ".lock"));
  auto found = open_checked(path, options);  // another process may have made it meanwhile
  if (found) return found;
  if (found.error().code() == ErrorCode::kNotFound) {
    LOG_INFO("packing {} into {}", options.model_path, path.string());
  } else {
    LOG_WARN("{}; packing it again", found.error().message());
  }
  TRY_STATUS(pack_model(options, path.string()));
  return open_checked(path, options);
}

}  // namespace

Result<PackSummary> pack_model(const LoadOptions& options, const std::string& output) {
  const auto sources = TRY(formats::list_sources(options.model_path));
  const formats::ModelFiles files = TRY(formats::read_model_files(options.model_path));
  const formats::ModelDir directory = TRY(formats::open_model_dir(options.model_path));
  const auto source = TRY(formats::open_safetensors_dir(options.model_path));
  DecoderWeights weights;
  const ModelConfig config = TRY(parse_model_config(directory.config));
  Parameters parameters = declare(config, weights);
  auto stored = TRY(formats::open_weight_reader(directory.config, options.model_path, *source));
  const auto reader = TRY(apply_quantization(options.quantization, std::move(stored), parameters.linears()));
  const ops::PackOptions packing = TRY(parse_packing(options.dtype, options.weight_layout));
  ThreadPool pool(options.threads > 0 ? options.threads : default_thread_count());
  PackSummary summary;
  TRY_STATUS(parameters.load(*source, *reader, packing, pool, summary.report));

  formats::PackedContents contents;
  contents.format = reader->format_name();
  contents.options = TRY(choices_of(options));
  contents.sources = sources;
  for (const formats::TensorInfo& info : source->tensors())
    contents.largest_source_bytes = std::max(contents.largest_source_bytes, info.bytes);
  for (const auto& [name, text] : files.texts)
    contents.files.emplace(name, std::as_bytes(std::span(text.data(), text.size())));
  contents.entries = parameters.stored();
  summary.file_bytes = TRY(formats::write_packed_file(output, std::move(contents)));
  return summary;
}

Result<std::unique_ptr<const formats::PackedFile>> open_packed_model(const LoadOptions& options) {
  if (!options.packed.empty()) return open_checked(options.packed, options);
  if (!options.packed_cache.empty()) return open_cached(options);
  return std::unique_ptr<const formats::PackedFile>();
}

Result<formats::ModelFiles> open_model_files(const LoadOptions& options) {
  if (!options.model_path.empty()) return formats::read_model_files(options.model_path);
  return TRY(formats::PackedFile::open(options.packed)).model_files();
}

}  // namespace tessera::models
