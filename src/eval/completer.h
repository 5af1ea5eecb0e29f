// Completer: continues many prompts greedily, several at a time; by an engine in this process
// (engine_completer.h) or by a server (server_completer.h). One caller at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace tessera::eval {

struct CompletionOptions {
  int32_t max_new_tokens = 512;
  std::vector<std::string> stop = {};  // where an answer ends; not part of it
  int32_t parallel = 64;               // prompts at a time
};

struct Completion {
  std::string text;
  int32_t completion_tokens = 0;
};

class Completer {
 public:
  virtual ~Completer() = default;

  /// Answers in the order of `prompts`. `on_done` is called on this thread after each. The first failure ends
  /// all, and names the prompt by its place.
  virtual Result<std::vector<Completion>> complete(std::span<const std::string> prompts,
                                                   const CompletionOptions& options,
                                                   const std::function<void()>& on_done) = 0;
};

}  // namespace tessera::eval
