#include "api/server_info.h"

namespace tessera::api {

std::string server_info(const ModelCard& card, const Json& arguments, const engine::EngineStats& stats,
                        std::string_view version) {
  Json info = arguments;
  info["model_path"] = card.path;
  info["tokenizer_path"] = card.path;
  info["served_model_name"] = card.id;
  info["model_id"] = card.id;
  info["tp_size"] = 1;
  info["dp_size"] = 1;
  info["max_total_num_tokens"] = stats.total_tokens;
  info["max_total_tokens"] = stats.total_tokens;
  info["max_req_input_len"] = card.max_model_len;
  info["context_length"] = card.max_model_len;
  info["status"] = "ready";
  info["version"] = version;
  info["internal_states"] = Json::array({{{"last_gen_throughput", stats.last_decode_tokens_per_s},
                                          {"last_prefill_throughput", stats.last_prefill_tokens_per_s},
                                          {"num_running_reqs", stats.running},
                                          {"num_waiting_reqs", stats.queued},
                                          {"num_used_tokens", stats.used_tokens},
                                          {"memory_usage", {{"token_capacity", stats.total_tokens}}}}});
  return dump(info);
}

std::string load_info(const engine::EngineStats& stats) {
  return dump(Json::array({{{"dp_rank", 0},
                            {"num_reqs", stats.running + stats.queued},
                            {"num_waiting_reqs", stats.queued},
                            {"num_tokens", stats.used_tokens}}}));
}

}  // namespace tessera::api
