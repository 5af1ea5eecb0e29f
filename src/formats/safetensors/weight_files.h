// Which files of a directory are the model's weights: Hugging Face's model.safetensors or its index, or
// ModelSlim's quant_model_weight*.safetensors or index, or AutoGPTQ's gptq_model*.safetensors or index, whose
// names vary with version and type.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace tessera::formats {

struct WeightFiles {
  std::string file;  // plain name, in the directory
  bool is_index = false;
};

/// The single file wins over an index, as in the transformers library; ModelSlim's names win where a
/// quant_model_description*.json lies beside them, since such a directory may still hold the float model;
/// AutoGPTQ's are looked for last. kNotFound when there is neither; kInvalidArgument naming them when several
/// would do.
Result<WeightFiles> find_weight_files(const std::filesystem::path& directory);

}  // namespace tessera::formats
