#include "cli/serve.h"

#include <algorithm>
#include <utility>

#include "api/model_card.h"
#include "base/isa.h"
#include "base/log.h"
#include "cli/trace_option.h"
#include "engine/engine.h"
#include "engine/open_model.h"
#include "server/bandwidth.h"
#include "server/run.h"
#include "tessera_version.h"

namespace tessera::cli {
namespace {

engine::OpenOptions open_options(const ServeOptions& options) {
  engine::OpenOptions open;
  open.load = {.model_path = options.model_path,
               .packed = options.packed,
               .packed_cache = options.packed_cache,
               .load_format = options.load_format,
               .dtype = options.dtype == "float" ? "float32" : options.dtype,
               .weight_layout = options.weight_layout,
               .quantization = options.quantization,
               .kv_cache_dtype = options.kv_cache_dtype,
               .threads = options.threads};
  open.context_length = options.context_length;
  open.max_total_tokens = options.max_total_tokens;
  open.mem_fraction_static = options.mem_fraction_static;
  open.page_size = options.engine.page_size;
  open.chat_template_file = options.chat_template;
  return open;
}

Result<engine::EngineOptions> make_engine_options(const ServeOptions& options,
                                                  std::vector<int32_t> eos_token_ids) {
  engine::EngineOptions engine;
  engine.max_running_requests = options.max_running_requests;
  engine.max_queued_requests = options.max_queued_requests;
  engine.max_queued_tokens = options.max_queued_tokens;
  engine.chunked_prefill_size = options.chunked_prefill_size;
  engine.eos_token_ids = std::move(eos_token_ids);
  engine.random_seed = options.random_seed;
  TRY_STATUS(apply_engine_options(options.engine, engine));
  return engine;
}

void describe_server(const ServeOptions& options, const models::LoadReport& report,
                     server::ServerOptions& server) {
  server.arguments = describe(options);
  server.arguments["isa"] = isa_name(active_isa());
  server.arguments["threads"] = report.threads;
  server.arguments["scheme"] = report.scheme;
  server.arguments["weight_bytes"] = report.packed_bytes;
  server.version = kVersion;
}

Result<api::ModelCard> make_card(const ServeOptions& options, const engine::OpenedModel& model) {
  const engine::ExecutorInfo& info = model.executor->info();
  // One request can use no more than the whole cache.
  const int64_t capacity = static_cast<int64_t>(info.page_count) * info.page_size;
  const auto longest = static_cast<int32_t>(std::min<int64_t>(info.max_context, capacity));
  const formats::ModelDir directory{.path = options.model_path.empty() ? options.packed : options.model_path,
                                    .config = model.config,
                                    .generation_config = model.generation_config,
                                    .eos_token_ids = model.eos_token_ids};
  api::ModelCard card =
      TRY(api::make_model_card(directory, options.served_model_name, longest, info.vocab_size));
  card.hidden_size = info.hidden_size;
  card.pooling = TRY(engine::parse_pooling(options.pooling));
  card.tokenizer = model.tokenizer.get();
  card.chat_template = model.chat_template.get();
  card.limits = options.http.limits;
  return card;
}

// What runs, and how fast it could be: decoding alone, a token reads every active weight once.
void log_model(const models::LoadReport& report, const engine::ExecutorInfo& info) {
  LOG_INFO("{}, weights {} ({}), {:.1f} MB, loaded in {:.2f} s", report.architecture, report.scheme,
           report.format, static_cast<double>(report.packed_bytes) / 1e6, report.seconds);
  LOG_INFO("memory planned for loading {:.1f} MB, taken {:.1f} MB",
           static_cast<double>(report.planned_peak_bytes) / 1e6,
           static_cast<double>(report.peak_bytes) / 1e6);
  LOG_INFO("isa {} on {}, {} threads", isa_name(active_isa()), cpu_name(), report.threads);
  LOG_INFO("context {} tokens, KV cache {} tokens", info.max_context,
           static_cast<int64_t>(info.page_count) * info.page_size);
  if (report.bytes_per_token <= 0 || report.threads <= 0) return;
  ThreadPool pool(report.threads);
  const double bandwidth = server::measure_read_bandwidth(pool);
  LOG_INFO("memory reads {:.1f} GB/s, so at most {:.0f} tokens/s for one request", bandwidth / 1e9,
           bandwidth / static_cast<double>(report.bytes_per_token));
}

}  // namespace

Status run_serve(const ServeOptions& given) {
  ServeOptions options = given;
  TRY_STATUS(check_serve_options(options));
  TRY_STATUS(set_log_level(options.log_level));
  server::ServerOptions server = TRY(make_server_options(options.http));
  TRY_STATUS(http::Server::check_address(server.http));
  const auto timeline = TRY(start_trace(options.trace));
  engine::OpenedModel model = TRY(engine::open_model(open_options(options)));
  api::ModelCard card = TRY(make_card(options, model));
  if (!options.no_effect.empty()) LOG_WARN("without effect here: {}", fmt::join(options.no_effect, ", "));
  log_model(model.report, model.executor->info());
  engine::EngineOptions engine_options = TRY(make_engine_options(options, model.eos_token_ids));
  const auto engine =
      TRY(engine::Engine::start(std::move(model.executor), *model.tokenizer, std::move(engine_options)));
  describe_server(options, model.report, server);
  return server::run(std::move(server), std::move(card), *engine,
                     {.skip_warmup = options.skip_server_warmup, .drain_timeout_s = options.drain_timeout_s});
}

}  // namespace tessera::cli
