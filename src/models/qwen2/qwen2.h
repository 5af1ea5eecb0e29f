// Qwen2ForCausalLM.
#pragma once

#include "models/architecture.h"

namespace tessera::models {
extern const Architecture kQwen2;
}
