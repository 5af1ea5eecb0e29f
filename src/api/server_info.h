// What the server tells about itself: /get_server_info, /get_load. Pure.
#pragma once

#include <string>

#include "api/model_card.h"
#include "engine/engine.h"

namespace tessera::api {

/// `arguments`: the server's options by SGLang's names. Counts are never negative: SGLang's router refuses
/// those.
std::string server_info(const ModelCard& card, const Json& arguments, const engine::EngineStats& stats,
                        std::string_view version);

std::string load_info(const engine::EngineStats& stats);

}  // namespace tessera::api
