#include "formats/safetensors/safetensors_writer.h"

#include <algorithm>

#include "formats/json_limits.h"

namespace tessera::formats {
namespace {

using nlohmann::json;

Result<uint64_t> byte_size(const TensorSpec& spec) {
  return static_cast<uint64_t>(TRY(spec.shape.checked_numel())) * dtype_size(spec.dtype);
}

// Fills shards in the declared order.
Result<std::vector<std::vector<const TensorSpec*>>> split(std::span<const TensorSpec> tensors,
                                                          uint64_t shard_bytes) {
  std::vector<std::vector<const TensorSpec*>> shards(1);
  uint64_t used = 0;
  for (const TensorSpec& spec : tensors) {
    const uint64_t bytes = TRY(byte_size(spec));
    if (!shards.back().empty() && used + bytes > shard_bytes) {
      shards.emplace_back();
      used = 0;
    }
    shards.back().push_back(&spec);
    used += bytes;
  }
  // Wide elements first keeps every tensor aligned to its element, which PyTorch's loader requires.
  for (auto& shard : shards) {
    std::ranges::stable_sort(shard, std::greater(),
                             [](const TensorSpec* spec) { return dtype_size(spec->dtype); });
  }
  return shards;
}

std::string length_prefix(uint64_t length) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>((length >> (8 * i)) & 0xffU);
  return bytes;
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& directory,
                                                    std::span<const TensorSpec> tensors, uint64_t shard_bytes,
                                                    std::string_view stem) {
  SafetensorsWriter writer;
  writer.directory_ = directory;
  writer.stem_ = stem;
  TRY_STATUS(writer.add_shards(tensors, shard_bytes));
  return writer;
}

Result<SafetensorsWriter> SafetensorsWriter::go_on(const std::filesystem::path& directory,
                                                   std::span<const TensorSpec> tensors, uint64_t shard_bytes,
                                                   std::string_view stem) {
  SafetensorsWriter writer;
  writer.directory_ = directory;
  writer.stem_ = stem;
  writer.outlives_process_ = true;
  TRY_STATUS(writer.add_shards(tensors, shard_bytes));
  return writer;
}

Status SafetensorsWriter::add_shards(std::span<const TensorSpec> tensors, uint64_t shard_bytes) {
  const auto shards = TRY(split(tensors, shard_bytes));
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file_name =
        shards.size() == 1 ? fmt::format("{}.safetensors", stem_)
                           : fmt::format("{}-{:05}-of-{:05}.safetensors", stem_, i + 1, shards.size());
    TRY_STATUS(add_shard(file_name, shards[i]));
  }
  return {};
}

Status SafetensorsWriter::add_shard(const std::string& file_name,
                                    std::span<const TensorSpec* const> tensors) {
  json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t end = 0;
  for (const TensorSpec* spec : tensors) {
    const uint64_t bytes = TRY(byte_size(*spec));
    const Place place{.shard = files_.size(), .offset = end, .bytes = bytes};
    if (!places_.emplace(spec->name, place).second)
      return invalid_argument("{}: tensor declared twice", spec->name);
    header[spec->name] = {{"dtype", dtype_name(spec->dtype)},
                          {"shape", spec->shape.dims()},
                          {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  total_bytes_ += end;
  std::string text = TRY(dump_json(header, file_name, -1));
  text.append((8 - text.size() % 8) % 8, ' ');
  text.insert(0, length_prefix(text.size()));
  for (const TensorSpec* spec : tensors)
    places_[spec->name].offset += text.size();

  const auto path = directory_ / file_name;
  OutputFile file = TRY(outlives_process_ ? OutputFile::go_on(path) : OutputFile::create(path));
  TRY_STATUS(file.append(std::as_bytes(std::span(text))));
  files_.push_back(std::move(file));
  file_names_.push_back(file_name);
  return {};
}

Status SafetensorsWriter::write(std::string_view name, std::span<const std::byte> data) {
  const auto found = places_.find(std::string(name));
  if (found != places_.end() && data.size() != found->second.bytes) {
    return internal_error("{}: {} bytes written, {} declared", name, data.size(), found->second.bytes);
  }
  return append(name, data);
}

Status SafetensorsWriter::append(std::string_view name, std::span<const std::byte> data) {
  const auto found = places_.find(std::string(name));
  if (found == places_.end()) return internal_error("{}: tensor was not declared", name);
  Place& place = found->second;
  if (data.size() > place.bytes - place.written) {
    return internal_error("{}: {} bytes written after {}, {} declared", name, data.size(), place.written,
                          place.bytes);
  }
  TRY_STATUS(files_[place.shard].write_at(place.offset + place.written, data));
  place.written += data.size();
  return {};
}

Status SafetensorsWriter::sync() {
  for (OutputFile& file : files_)
    TRY_STATUS(file.sync());
  return {};
}

void SafetensorsWriter::take_as_written(std::string_view name) {
  Place& place = places_.at(std::string(name));
  place.written = place.bytes;
}

Status SafetensorsWriter::write_index() {
  json weight_map = json::object();
  for (const auto& [name, place] : places_)
    weight_map[name] = file_names_[place.shard];
  const json index = {{"metadata", {{"total_size", total_bytes_}}}, {"weight_map", std::move(weight_map)}};
  const std::string name = stem_ + ".safetensors.index.json";
  const std::string text = TRY(dump_json(index, name));
  return write_text_file(directory_ / name, text + "\n");
}

Status SafetensorsWriter::remove_stale_files() const {
  const bool sharded = file_names_.size() > 1;
  std::error_code error;
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string name = entry.path().filename().string();
    const bool weights =
        name == stem_ + ".safetensors" || (name.starts_with(stem_ + "-") && name.ends_with(".safetensors"));
    const bool ours = std::ranges::find(file_names_, name) != file_names_.end();
    if ((weights && !ours) || (name == stem_ + ".safetensors.index.json" && !sharded))
      stale.push_back(entry.path());
  }
  for (const auto& path : stale) {
    if (!error) std::filesystem::remove(path, error);
  }
  if (error) return unavailable("{}: cannot remove old weights: {}", directory_.string(), error.message());
  return {};
}

Status SafetensorsWriter::commit() {
  for (const auto& [name, place] : places_) {
    if (place.written != place.bytes) {
      return internal_error("{}: {} bytes written, {} declared", name, place.written, place.bytes);
    }
  }
  for (OutputFile& file : files_)
    TRY_STATUS(file.commit());
  if (files_.size() > 1) TRY_STATUS(write_index());
  TRY_STATUS(remove_stale_files());
  files_.clear();
  return {};
}

}  // namespace tessera::formats
