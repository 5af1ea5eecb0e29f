// The server's certificate and key as a TLS context. Internal to src/http (includes Asio).
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "http/server.h"

namespace tessera::http {

/// TLS 1.2 or newer; null when no certificate is configured. kInvalidArgument naming the file that cannot be
/// used, or a key that does not belong to the certificate.
Result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(const TlsOptions& options);

}  // namespace tessera::http
