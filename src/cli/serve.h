// `tessera serve`: opens the model, starts the engine and the server, and runs until a signal.
#pragma once

#include "base/result.h"
#include "cli/serve_options.h"

namespace tessera::cli {

/// Returns after an orderly shutdown. The log level is set first; nothing is logged before the options, the
/// address and the model have been found good, so that a failure is one line.
Status run_serve(const ServeOptions& options);

}  // namespace tessera::cli
