// load_probe: loads a model in a process that does nothing else, and prints what that took as one line of
// JSON.
// --hold: goes on until its input ends, so that others can look at its memory.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/process_memory.h"
#include "models/model.h"

int main(int argc, char** argv) {
  using namespace tessera;
  CLI::App app("loads a model and says what that took");
  models::LoadOptions options;
  bool hold = false;
  app.add_option("--model-path", options.model_path);
  app.add_option("--packed", options.packed);
  app.add_option("--weight-layout", options.weight_layout);
  app.add_option("--quantization", options.quantization);
  app.add_option("--threads", options.threads);
  app.add_flag("--hold", hold);
  CLI11_PARSE(app, argc, argv);
  init_logging();  // the output is for programs
  const auto model = models::Model::load(options);
  if (!model) {
    fmt::print(stderr, "load_probe: {}\n", model.error().message());
    return 1;
  }
  const models::LoadReport& report = (*model)->report();
  const nlohmann::json line = {{"packed_bytes", report.packed_bytes},
                               {"planned_peak_bytes", report.planned_peak_bytes},
                               {"peak_bytes", peak_resident_bytes()},
                               {"scheme", report.scheme},
                               {"seconds", report.seconds}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
  while (hold && std::getchar() != EOF) {
  }
  return 0;
}
