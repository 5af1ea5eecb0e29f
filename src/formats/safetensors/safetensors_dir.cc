// open_safetensors_dir(): the TensorSource over one safetensors file or over the shards of an index.
#include <algorithm>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include "base/check.h"
#include "base/file.h"
#include "base/model_file.h"
#include "formats/safetensors/header.h"
#include "formats/safetensors/index.h"
#include "formats/safetensors/weight_files.h"
#include "formats/stacked_experts.h"
#include "formats/tensor_source.h"

namespace tessera::formats {
namespace {

namespace fs = std::filesystem;

// One thread copies 4 to 6 GB/s out of the file cache; an embedding of a gigabyte should not wait for that.
constexpr size_t kPartBytes = size_t{64} << 20;
constexpr size_t kMaxParts = 8;

/// `out` from byte `offset` of `file`, large ones by several threads.
Status read_in_parts(const InputFile& file, uint64_t offset, std::span<std::byte> out) {
  const size_t parts = std::clamp<size_t>(out.size() / kPartBytes, 1, kMaxParts);
  if (parts == 1) return file.read_at(offset, out);
  const size_t part_bytes = (out.size() + parts - 1) / parts;
  std::vector<Status> results(parts);
  {
    std::vector<std::jthread> readers;
    for (size_t part = 0; part < parts; ++part) {
      readers.emplace_back([&, part] {
        const size_t begin = part * part_bytes;
        results[part] =
            file.read_at(offset + begin, out.subspan(begin, std::min(part_bytes, out.size() - begin)));
      });
    }
  }
  for (Status& result : results)
    TRY_STATUS(std::move(result));
  return {};
}

class SafetensorsSource final : public TensorSource {
 public:
  using TensorSource::read;

  std::span<const TensorInfo> tensors() const override { return tensors_; }

  const TensorInfo* find(std::string_view name) const override {
    const auto place = by_name_.find(name);
    return place == by_name_.end() ? nullptr : &tensors_[place->second];
  }

  Status read(const TensorInfo& info, std::span<std::byte> out) const override {
    CHECK(out.size() == info.bytes, "{}: {} bytes for a tensor of {}", info.name, out.size(), info.bytes);
    return read_in_parts(files_[info.shard], info.offset, out).context(info.name);
  }

  void will_read(const TensorInfo& info) const override {
    files_[info.shard].will_read(info.offset, info.bytes);
  }

  Status check_unchanged() const override {
    for (const InputFile& file : files_)
      TRY_STATUS(file.check_unchanged());
    return {};
  }

  /// Appends a file's tensors.
  Status add_file(InputFile file) {
    const std::string name = file.path().string();
    std::string first(std::min<uint64_t>(file.size(), sizeof(uint64_t)), '\0');
    TRY_STATUS(file.read_at(0, std::as_writable_bytes(std::span(first))));
    std::string text(TRY(parse_header_length(first, file.size(), name)), '\0');
    TRY_STATUS(file.read_at(first.size(), std::as_writable_bytes(std::span(text))));
    SafetensorsHeader header = TRY(parse_header(text, file.size(), name));
    if (tensors_.size() + header.tensors.size() > kMaxTensors) {
      return resource_exhausted("{}: more than {} tensors in the directory", name, kMaxTensors);
    }
    for (TensorInfo& info : header.tensors) {
      info.shard = static_cast<uint32_t>(files_.size());
      tensors_.push_back(std::move(info));
    }
    files_.push_back(std::move(file));
    return {};
  }

  /// Once all files are added: names are unique from here on.
  Status index_names() {
    by_name_.reserve(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const auto [place, inserted] = by_name_.emplace(tensors_[i].name, i);
      if (!inserted) {
        return data_corrupt("{}: in {} and in {}, expected in one file only", tensors_[i].name,
                            file_name(tensors_[place->second]), file_name(tensors_[i]));
      }
    }
    return {};
  }

  /// A model that was saved without its head, as embedding models are published, lacks the prefix that its
  /// names have with one.
  Status name_as_with_head() {
    if (find("embed_tokens.weight") == nullptr) return {};
    by_name_.clear();
    for (TensorInfo& info : tensors_) {
      if (!info.name.starts_with("model.") && !info.name.starts_with("lm_head."))
        info.name.insert(0, "model.");
    }
    return index_names();
  }

  /// Rule 8: the index and the shards name the same tensors.
  Status check_against(const SafetensorsIndex& index, const std::string& index_name) const {
    for (const TensorInfo& info : tensors_) {
      const auto place = index.shard_of.find(info.name);
      if (place == index.shard_of.end()) {
        return data_corrupt("{}: {} is in {}, but not in weight_map", index_name, info.name, file_name(info));
      }
      if (place->second != info.shard) {
        return data_corrupt("{}: weight_map says {} is in {}, but it is in {}", index_name, info.name,
                            index.shards[place->second], file_name(info));
      }
    }
    if (tensors_.size() == index.shard_of.size()) return {};
    for (const auto& [name, shard] : index.shard_of) {
      if (find(name) == nullptr) {
        return data_corrupt("{}: weight_map says {} is in {}, but it is not", index_name, name,
                            index.shards[shard]);
      }
    }
    return {};
  }

 private:
  std::string file_name(const TensorInfo& info) const {
    return files_[info.shard].path().filename().string();
  }

  std::vector<InputFile> files_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, size_t> by_name_;  // views into tensors_, which no longer grows
};

Result<std::unique_ptr<TensorSource>> open_sharded(const fs::path& directory,
                                                   const std::string& index_file_name) {
  const std::string index_name = (directory / index_file_name).string();
  const InputFile index_file = TRY(open_model_file(directory, index_file_name));
  const std::string text = TRY(read_text_file(index_file.path(), kMaxIndexBytes));
  const SafetensorsIndex index = TRY(parse_index(text, index_name));
  auto source = std::make_unique<SafetensorsSource>();
  for (const std::string& shard : index.shards) {
    InputFile file = TRY(open_model_file(directory, shard).context(index_name));
    TRY_STATUS(source->add_file(std::move(file)));
  }
  TRY_STATUS(source->index_names());
  TRY_STATUS(source->check_against(index, index_name));
  TRY_STATUS(source->name_as_with_head());
  return std::unique_ptr<TensorSource>(std::move(source));
}

}  // namespace

Result<std::unique_ptr<TensorSource>> open_safetensors_dir(const std::string& directory) {
  const fs::path root(directory);
  const WeightFiles files = TRY(find_weight_files(root));
  if (files.is_index) return unstack_experts(TRY(open_sharded(root, files.file)));
  auto source = std::make_unique<SafetensorsSource>();
  InputFile file = TRY(open_model_file(root, files.file));
  TRY_STATUS(source->add_file(std::move(file)));
  TRY_STATUS(source->index_names());
  TRY_STATUS(source->name_as_with_head());
  return unstack_experts(std::move(source));
}

}  // namespace tessera::formats
