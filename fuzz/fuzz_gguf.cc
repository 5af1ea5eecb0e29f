// A whole GGUF file in memory, through everything that an import does before it writes, and all of its
// tensors.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "formats/gguf/gguf_builder.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/import_config.h"
#include "formats/gguf/import_tensors.h"
#include "formats/gguf/import_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera::formats::gguf;
  const auto file =
      GgufFile::parse(memory_source(std::string_view(reinterpret_cast<const char*>(data), size)));
  if (!file.has_value()) return 0;
  std::vector<std::byte> scratch;
  for (const GgufTensor& tensor : file->tensors()) {
    std::vector<float> values(static_cast<size_t>(tensor.rows() * tensor.cols()));
    CHECK(file->read_rows(tensor, 0, tensor.rows(), scratch, values).has_value(), "{}", tensor.name);
  }
  const auto config = import_config(*file);
  if (!config.has_value()) return 0;
  (void)import_tokenizer(*file, config->dims[static_cast<size_t>(Dim::kVocab)]).has_value();
  (void)plan_tensors(*file, *config, tessera::DType::kBF16).has_value();
  return 0;
}
