// import_gguf: a GGUF file becomes a Hugging Face model directory that transformers and Tessera load:
// config.json, generation_config.json, tokenizer.json, tokenizer_config.json and safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "formats/safetensors/safetensors_writer.h"
#include "tensor/dtype.h"

namespace tessera::formats::gguf {

struct ImportOptions {
  DType dtype = DType::kBF16;  // or F32: of every tensor written
  bool force = false;          // write into a directory that is not empty
  uint64_t shard_bytes = SafetensorsWriter::kDefaultShardBytes;
};

struct ImportSummary {
  std::string hf_class;
  size_t tensors = 0;
  uint64_t weight_bytes = 0;
};

/// Everything is checked before `output` is created; config.json comes last, so that a directory that has one
/// is whole. Memory: the metadata and some tens of megabytes, however large the file is. Shows a progress
/// bar.
Result<ImportSummary> import_gguf(const std::filesystem::path& gguf, const std::filesystem::path& output,
                                  const ImportOptions& options = {});

}  // namespace tessera::formats::gguf
