// The packed file: a model's weights as kernels read them, with all that is needed to run it, to be mapped.
//
//   preamble  64 bytes: magic, byte order, version, layout, lengths, checksum of itself and the header
//   header    what is where: source, options, files, an entry per parameter with its scheme and its arrays
//   arrays    from the next multiple of 2 MiB on, each at a multiple of 64
//
// Numbers are little-endian. Nothing depends on an instruction set. The checksum is for accidents; the parser
// believes nothing: every array lies within the file, and whoever takes an entry checks its arrays' lengths
// (ops::Linear::restore). Pure functions over bytes. docs/loading.md says when a file is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quant/scheme.h"

namespace tessera::formats {

/// Of preamble and header.
inline constexpr uint32_t kPackedVersion = 2;
/// Of the arrays: raised when a kernel wants tiles, padding or scales in another order.
inline constexpr uint32_t kPackedLayout = 1;
inline constexpr size_t kPackedPreambleBytes = 64;
inline constexpr size_t kPackedArrayAlignment = 64;

using PackedArray = std::span<const std::byte>;

/// A step of quant::InputTransform: packed_transform.h.
struct PackedStep {
  std::string kind = {};
  int64_t rows = 0, columns = 0;
  bool transposed = false;
  std::vector<PackedArray> arrays = {};
};

/// A parameter of the model: a linear, an embedding's table or a vector.
struct PackedEntry {
  std::string name = {};  // its path, without ".weight"
  std::string kind = {};  // what its arrays are: the name of an ops::WeightKind, "embedding" or "vector"
  quant::LinearScheme scheme = {};
  quant::StaticScale input = {};
  int64_t out = 0, in = 0;
  std::vector<PackedArray> arrays = {};  // those that it has not are empty
  PackedArray bias = {};                 // F32 [out] or empty
  std::vector<PackedStep> transform = {}, output_transform = {};
};

/// A file that the weights were made from, as it was then.
struct SourceFile {
  std::string name;
  uint64_t bytes = 0;
  int64_t modified = 0;  // seconds since 1970
  uint64_t digest = 0;   // of a JSON file's text, of a safetensors file's header
  bool operator==(const SourceFile&) const = default;
};

/// Spans point into the file, or, for a file to be written, to what goes there.
struct PackedContents {
  std::string format;                               // of the checkpoint: "none", "compressed-tensors"
  std::map<std::string, std::string> options = {};  // that the weights depend on: "dtype" -> "bfloat16"
  std::vector<SourceFile> sources = {};
  uint64_t largest_source_bytes = 0;              // of one tensor of the checkpoint
  std::map<std::string, PackedArray> files = {};  // "config.json", "tokenizer.json"
  std::vector<PackedEntry> entries = {};
};

/// Whether `file` is a whole packed file of this version and layout with a good checksum. `name` opens the
/// message, which says what is wrong: kInvalidArgument (no packed file), kUnsupported (foreign), kDataCorrupt
/// (torn).
Status check_packed_preamble(std::span<const std::byte> file, std::string_view name);

/// Everything between the preamble and the arrays; the preamble's lengths are compared with the bytes there
/// are, its other fields are not looked at. kDataCorrupt.
Result<PackedContents> parse_packed_header(std::span<const std::byte> file);

/// The start of a file with these contents, and where the arrays go. Arrays that are the same bytes in memory
/// are stored once.
struct PackedPlan {
  struct Place {
    uint64_t offset = 0;
    PackedArray bytes = {};
  };
  std::vector<std::byte> head;  // preamble and header
  std::vector<Place> arrays;
  uint64_t file_bytes = 0;
};
/// kInvalidArgument when something is beyond what a header can say.
Result<PackedPlan> plan_packed_file(PackedContents contents);

}  // namespace tessera::formats
