// What /get_server_info, /get_load and /v1/loads tell. Counts are never negative: routers read them as
// unsigned. Pure.
#pragma once

#include <string>
#include <string_view>

#include "api/model_card.h"
#include "engine/engine.h"

namespace tessera::api {

/// `arguments`: the server's options by their SGLang names; `stats` as of now.
std::string server_info(const ModelCard& card, const Json& arguments, const engine::EngineStats& stats,
                        std::string_view version);

/// [{"dp_rank":0,"num_reqs":...,"num_waiting_reqs":...,"num_tokens":...}]
std::string load_info(const engine::EngineStats& stats);

/// The same for /v1/loads: one entry, or none (`ours` false: another rank was asked for), and its sum.
std::string loads(const engine::EngineStats& stats, int32_t max_running_requests, std::string_view version,
                  bool ours);

}  // namespace tessera::api
