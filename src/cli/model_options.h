// The options that every command with a model has: --model-path, --dtype, --quantization, --threads; and
// token ids as an option's text.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

/// Adds them to `command`; values land in `options`, which outlives the parse.
void add_model_options(CLI::App& command, models::LoadOptions& options);

/// Those that decide how weights lie in memory, and --threads.
void add_packing_options(CLI::App& command, models::LoadOptions& options);

/// --model-path, --packed and --packed-cache; a usage error without the first two.
void add_model_path(CLI::App& command, std::string& model_path, std::string& packed,
                    std::string& packed_cache);

/// --weight-layout nz|nd alone.
void add_weight_layout(CLI::App& command, std::string& layout);

/// --kv-cache-dtype auto|bf16|int8 alone.
void add_kv_cache_dtype(CLI::App& command, std::string& dtype);

/// --load-format auto|safetensors|dummy alone.
void add_load_format(CLI::App& command, models::LoadFormat& format);

/// "1,2,3". `option` names the text in the message, as does the part that is no id.
Result<std::vector<int32_t>> parse_token_ids(std::string_view option, std::string_view text);

}  // namespace tessera::cli
