// What this program can load and write, as the README's tables: made of the registries of architectures,
// formats, weight kinds, recipes and GGUF types, so that it says what is so. Thread-safe.
#pragma once

#include <string>

namespace tessera::compress {

/// In Markdown.
std::string support_tables();

}  // namespace tessera::compress
