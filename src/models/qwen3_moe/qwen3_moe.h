// Qwen3MoeForCausalLM.
#pragma once

#include "models/architecture.h"

namespace tessera::models {
extern const Architecture kQwen3Moe;
}
