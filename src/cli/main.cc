// tessera: exit codes are 0 done, 1 failed (one line on standard error), 2 usage (one line too).
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/isa.h"
#include "base/log.h"
#include "cli/bench.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/eval.h"
#include "cli/generate.h"
#include "cli/import.h"
#include "cli/inspect.h"
#include "cli/logits.h"
#include "cli/pack.h"
#include "cli/quantize.h"
#include "cli/serve.h"
#include "cli/version.h"
#include "tessera_version.h"

namespace tessera::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr Command kCommands[] = {
    {"serve", "answer over HTTP: the OpenAI API and SGLang's own",
     "tessera serve --model-path models/smollm2-w8a8 --port 30000",
     setup<ServeOptions, add_serve_options, run_serve>},
    {"chat", "talk to a model in the terminal", "tessera chat --model-path models/smollm2-w8a8",
     setup<ChatArguments, add_chat_options, run_chat>},
    {"generate", "continue a text once",
     "tessera generate --model-path models/smollm2-w8a8 --prompt 'Once upon'",
     setup<GenerateArguments, add_generate_options, run_generate>},
    {"logits", "write the logits of every position of a sequence",
     "tessera logits --model-path models/smollm2 --input-ids 1,2,3 --output logits.safetensors",
     setup<LogitsArguments, add_logits_options, run_logits>},
    {"quantize", "make a checkpoint with small integers from one in float",
     "tessera quantize --model-path models/smollm2 --output models/smollm2-w8a8 --scheme w8a8",
     setup<QuantizeArguments, add_quantize_options, run_quantize>},
    {"import", "turn a GGUF file into a Hugging Face directory",
     "tessera import SmolLM2-135M-Instruct.Q4_1.gguf --output models/smollm2",
     setup<ImportArguments, add_import_options, run_import>},
    {"pack", "write a model's weights as kernels read them, to be mapped by --packed",
     "tessera pack --model-path models/smollm2-w8a8 --output smollm2.packed",
     setup<PackArguments, add_pack_options, run_pack>},
    {"inspect", "what a model directory holds, and what would refuse to load",
     "tessera inspect models/smollm2-w8a8", setup<InspectArguments, add_inspect_options, run_inspect>},
    {"eval", "measure how good a model is",
     "tessera eval perplexity --model-path models/smollm2 --text tests/data/prose.txt",
     setup<EvalArguments, add_eval_options, run_eval>},
    {"bench", "measure this machine, and kernels and whole models on it",
     "tessera bench latency --config bench/configs/qwen3-0.6b.json --scheme w4a8",
     setup<BenchArguments, add_bench_options, run_bench>},
    {"version", "version, commit and instruction sets", "tessera version",
     setup<VersionArguments, add_version_options, run_version>},
};

/// One line whatever it says: file names and tensor names come from outside.
std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

int fail(int code, std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "tessera: {}\n", one_line(message));
  return code;
}

/// The innermost subcommand that was named, for "try ... --help".
std::string named_command(const CLI::App& app) {
  std::string name = app.get_name();
  const CLI::App* at = &app;
  for (auto chosen = at->get_subcommands(); !chosen.empty(); chosen = at->get_subcommands()) {
    at = chosen.front();
    name += " " + at->get_name();
  }
  return name;
}

int run(const Action& action) {
  if (auto isa = choose_isa(); !isa) return fail(kFailed, isa.error().message());
  if (auto status = action(); !status) return fail(kFailed, status.error().message());
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail(kFailed, "standard output: not everything could be written");
  }
  return 0;
}

int main(int argc, const char* const* argv) {
  CLI::App app("Tessera serves language models whose weights and activations are small integers, on CPUs.",
               "tessera");
  app.require_subcommand(1);
  app.set_version_flag("--version", kVersion);
  app.footer("tessera COMMAND --help has the options and an example.");
  Action chosen;
  for (const Command& row : kCommands) {
    CLI::App* command = app.add_subcommand(row.name, row.summary);
    command->footer(fmt::format("Example:\n  {}", row.example));
    command->final_callback([&chosen, action = row.setup(*command)] { chosen = action; });
  }
  if (argc == 1) {
    fmt::print(stderr, "{}", app.help());
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(kUsage, fmt::format("{} (try: {} --help)", error.what(), named_command(app)));
  }
  // Only serve logs at the info level, which it sets from --log-level; elsewhere the output is the result.
  if (auto status = set_log_level("warning"); !status) return fail(kFailed, status.error().message());
  init_logging();
  return run(chosen);
}

}  // namespace
}  // namespace tessera::cli

int main(int argc, char** argv) {
  try {
    return tessera::cli::main(argc, argv);
  } catch (const std::exception& error) {  // out of memory, most likely
    fmt::print(stderr, "tessera: {}\n", error.what());
    return 1;
  }
}
