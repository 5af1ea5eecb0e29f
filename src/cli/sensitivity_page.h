// What `quantize --scheme auto` measured, as a page with plots that opens offline. Pure function.
#pragma once

#include <string>

#include "compress/auto/auto_scheme.h"

namespace tessera::cli {

std::string sensitivity_page(const compress::AutoReport& report);

}  // namespace tessera::cli
