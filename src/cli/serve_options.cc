#include "cli/serve_options.h"

#include <array>
#include <limits>

#include "cli/model_options.h"
#include "cli/trace_option.h"

namespace tessera::cli {
namespace {

// Options of SGLang that steer other devices, Python, or features whose absence changes no answer. `values`:
// how many follow the name (-1: one or more).
struct NoEffect {
  const char* names;
  int values;
};
constexpr std::array kNoEffect = {
    NoEffect{"--trust-remote-code", 0},
    NoEffect{"--is-embedding", 0},
    NoEffect{"--attention-backend", 1},
    NoEffect{"--sampling-backend", 1},
    NoEffect{"--grammar-backend", 1},
    NoEffect{"--cuda-graph-bs", -1},
    NoEffect{"--cuda-graph-max-bs", 1},
    NoEffect{"--disable-cuda-graph", 0},
    NoEffect{"--disable-overlap-schedule", 0},
    NoEffect{"--enable-mixed-chunk", 0},
    NoEffect{"--enable-torch-compile", 0},
    NoEffect{"--tokenizer-mode", 1},
    NoEffect{"--watchdog-timeout", 1},
    NoEffect{"--base-gpu-id", 1},
    NoEffect{"--stream-interval", 1},
    NoEffect{"--speculative-ngram-match-type", 1},
    NoEffect{"--speculative-ngram-min-bfs-breadth", 1},
    NoEffect{"--speculative-ngram-max-bfs-breadth", 1},
    NoEffect{"--speculative-ngram-branch-length", 1},
    NoEffect{"--speculative-ngram-capacity", 1},
};

void add_names(CLI::App& command, ServeOptions& options) {
  add_model_path(command, options.model_path, options.packed, options.packed_cache);
  command.add_option("--served-model-name", options.served_model_name, "name in the API (default: the path)");
  command.add_option("--chat-template", options.chat_template,
                     "Jinja file instead of the model's own template");
  command
      .add_option("--pooling", options.pooling,
                  "what an embedding is made of: the last token's hidden state, or the mean of all")
      ->check(CLI::IsMember({"last", "mean"}))
      ->capture_default_str();
}

void add_model(CLI::App& command, ServeOptions& options) {
  command.add_option("--dtype", options.dtype, "of float weights")
      ->check(CLI::IsMember({"auto", "bfloat16", "float32", "float"}))
      ->capture_default_str();
  add_weight_layout(command, options.weight_layout);
  add_kv_cache_dtype(command, options.kv_cache_dtype);
  command.add_option(
      "--quantization", options.quantization,
      "w8a8_int8, w4a8_int8, w4a4_int4 or w4a16_int4: round a float checkpoint to it while loading, give a "
      "weight-only one (GPTQ, AWQ) int8 inputs, insist on it of others; or insist on a format such as gptq");
  add_load_format(command, options.load_format);
  command.add_option("--context-length", options.context_length, "tokens per request (default: the model's)")
      ->check(CLI::PositiveNumber);
  command.add_option("--device", options.device, "cpu or auto")->capture_default_str();
  command.add_option("--threads", options.threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
}

void add_scheduling(CLI::App& command, ServeOptions& options) {
  const int32_t most = std::numeric_limits<int32_t>::max();
  command.add_option("--max-running-requests", options.max_running_requests, "answered at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_option("--max-queued-requests", options.max_queued_requests, "waiting; more get status 429")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      .add_option("--max-queued-tokens", options.max_queued_tokens,
                  "of the prompts that wait; more get status 429")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command
      .add_option("--max-total-tokens", options.max_total_tokens,
                  "capacity of the KV cache (default: by memory)")
      ->check(CLI::Range(1, most));
  command
      .add_option("--mem-fraction-static", options.mem_fraction_static,
                  "of the memory, for weights and KV cache")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  command
      .add_option("--chunked-prefill-size", options.chunked_prefill_size,
                  "prompt tokens per step, -1: no limit")
      ->check(CLI::Range(-1, most))
      ->capture_default_str();
  command.add_option("--random-seed", options.random_seed,
                     "of requests that bring none (default: from the system)");
}

void add_operation(CLI::App& command, ServeOptions& options) {
  command.add_option("--log-level", options.log_level, "trace, debug, info, warning, error, critical or off")
      ->capture_default_str();
  add_trace(command, options.trace);
  command.add_flag("--skip-server-warmup", options.skip_server_warmup, "no request to itself at the start");
  command
      .add_option("--drain-timeout", options.drain_timeout_s,
                  "seconds that answers under way get after SIGTERM")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_no_effect(CLI::App& command, ServeOptions& options) {
  for (const NoEffect& option : kNoEffect) {
    const auto note = [&options, name = std::string(option.names)](const CLI::results_t&) {
      options.no_effect.push_back(name);
      return true;
    };
    CLI::Option* added =
        command.add_option(option.names, note, "accepted, no effect here")->group("Without effect");
    if (option.values >= 0) {
      added->expected(option.values);
    } else {
      added->expected(1, 1024);
    }
  }
  // One of each exists; any other number is an error, not something to overlook.
  for (const char* name :
       {"--tp-size,--tensor-parallel-size,--tp", "--dp-size", "--pp-size", "--ep-size", "--nnodes"}) {
    command.add_option_function<int>(name, [](int) {}, "only 1 for now")->check(CLI::Range(1, 1));
  }
}

}  // namespace

void add_serve_options(CLI::App& command, ServeOptions& options) {
  add_names(command, options);
  add_http_options(command, options.http);
  add_model(command, options);
  add_scheduling(command, options);
  add_engine_options(command, options.engine);
  add_operation(command, options);
  add_no_effect(command, options);
}

Status check_serve_options(ServeOptions& options) {
  if (options.device != "cpu" && options.device != "auto") {
    return unsupported("--device {} is not supported, expected cpu or auto", options.device);
  }
  if (options.chunked_prefill_size == 0) {
    return invalid_argument("--chunked-prefill-size is 0, expected -1 or at least 1");
  }
  if (options.chunked_prefill_size < 0) options.chunked_prefill_size = std::numeric_limits<int32_t>::max();
  if (options.served_model_name.empty())
    options.served_model_name = options.model_path.empty() ? options.packed : options.model_path;
  return {};
}

nlohmann::ordered_json describe(const ServeOptions& options) {
  nlohmann::ordered_json info = {
      {"dtype", options.dtype},
      {"kv_cache_dtype", options.kv_cache_dtype},
      {"quantization", options.quantization.empty() ? nlohmann::ordered_json()
                                                    : nlohmann::ordered_json(options.quantization)},
      {"device", "cpu"},
      {"pooling", options.pooling},
      {"max_running_requests", options.max_running_requests},
      {"max_queued_requests", options.max_queued_requests},
      {"max_queued_tokens", options.max_queued_tokens},
      {"chunked_prefill_size", options.chunked_prefill_size},
      {"mem_fraction_static", options.mem_fraction_static},
      {"log_level", options.log_level}};
  describe(options.engine, info);
  describe(options.http, info);
  return info;
}

}  // namespace tessera::cli
