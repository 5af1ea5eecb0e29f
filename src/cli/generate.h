// `tessera generate --model-path DIR --prompt TEXT`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "engine/request.h"
#include "models/model.h"

namespace tessera::cli {

struct GenerateArguments {
  models::LoadOptions model;
  engine::Request request = {.sampling = {.temperature = 0}};  // all but the prompt
  std::string prompt;
  std::string input_ids;
  std::string trace;  // a file to write
  bool chat = false;
  bool json = false;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_generate_options(CLI::App& command, GenerateArguments& arguments);

/// Streams the text on stdout, or prints one JSON object.
Status run_generate(const GenerateArguments& arguments);

}  // namespace tessera::cli
