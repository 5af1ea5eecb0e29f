#include "api/server_info.h"

#include <ctime>

namespace tessera::api {
namespace {

double share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

std::string server_info(const ModelCard& card, const Json& arguments, const engine::EngineStats& stats,
                        std::string_view version) {
  Json info = arguments;
  info["model_path"] = card.path;
  info["tokenizer_path"] = card.path;
  info["served_model_name"] = card.id;
  info["model_id"] = card.id;
  info["tp_size"] = 1;
  info["dp_size"] = 1;
  info["pp_size"] = 1;
  info["load_balance_method"] = "round_robin";
  info["disaggregation_mode"] = "null";
  info["is_embedding"] = false;
  info["weight_version"] = "default";
  info["max_total_num_tokens"] = stats.total_tokens;
  info["max_total_tokens"] = stats.total_tokens;
  info["max_req_input_len"] = card.max_model_len;
  info["context_length"] = card.max_model_len;
  info["status"] = "ready";
  info["version"] = version;
  Json state = {{"last_gen_throughput", stats.last_decode_tokens_per_s},
                {"last_prefill_throughput", stats.last_prefill_tokens_per_s},
                {"num_running_reqs", stats.running},
                {"num_waiting_reqs", stats.queued},
                {"num_used_tokens", stats.used_tokens},
                {"num_steps", stats.steps},
                {"memory_usage", {{"token_capacity", stats.total_tokens}}}};
  // The benchmark prints it when it is there: only with guesses is it a number that means something.
  if (stats.draft_steps > 0) state["avg_spec_accept_length"] = stats.accept_length();
  info["internal_states"] = Json::array({std::move(state)});
  return dump(info);
}

std::string load_info(const engine::EngineStats& stats) {
  return dump(Json::array({{{"dp_rank", 0},
                            {"num_reqs", stats.running + stats.queued},
                            {"num_waiting_reqs", stats.queued},
                            {"num_tokens", stats.used_tokens + stats.queued_tokens},
                            {"num_pending_tokens", stats.queued_tokens}}}));
}

std::string loads(const engine::EngineStats& stats, int32_t max_running_requests, std::string_view version,
                  bool ours) {
  const double usage = share(stats.used_tokens, stats.total_tokens);
  const double utilization = share(stats.running, max_running_requests);
  const double throughput = stats.running > 0 ? stats.last_decode_tokens_per_s : 0;
  const int64_t tokens = stats.used_tokens + stats.queued_tokens;
  const Json load = {{"dp_rank", 0},
                     {"num_running_reqs", stats.running},
                     {"num_waiting_reqs", stats.queued},
                     {"num_used_tokens", stats.used_tokens},
                     {"num_total_tokens", tokens},
                     {"max_total_num_tokens", stats.total_tokens},
                     {"token_usage", usage},
                     {"gen_throughput", throughput},
                     {"cache_hit_rate", stats.cache_hit_rate()},
                     {"utilization", utilization},
                     {"max_running_requests", max_running_requests}};
  const Json sum = {{"total_running_reqs", stats.running},
                    {"total_waiting_reqs", stats.queued},
                    {"total_reqs", stats.running + stats.queued},
                    {"total_tokens", tokens},
                    {"avg_token_usage", usage},
                    {"avg_throughput", throughput},
                    {"avg_utilization", utilization}};
  return dump({{"timestamp", static_cast<int64_t>(std::time(nullptr))},
               {"version", version},
               {"dp_rank_count", 1},
               {"loads", ours ? Json::array({load}) : Json::array()},
               {"aggregate", ours ? sum : Json()}});
}

}  // namespace tessera::api
