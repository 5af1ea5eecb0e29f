#include "http/tls.h"

#include <openssl/ssl.h>

namespace tessera::http {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Result<std::unique_ptr<ssl::context>> make_tls_context(const TlsOptions& options) {
  if (options.certificate_file.empty() && options.key_file.empty()) return std::unique_ptr<ssl::context>();
  if (options.certificate_file.empty() || options.key_file.empty()) {
    return invalid_argument("TLS needs a certificate and its key, only {} is given",
                            options.key_file.empty() ? "the certificate" : "the key");
  }
  error_code error;
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  context->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::no_compression,
                       error);
  if (!error) {
    context->set_password_callback(
        [password = options.key_password](size_t, ssl::context::password_purpose) { return password; },
        error);
  }
  if (error) return internal_error("TLS cannot be set up: {}", error.message());
  context->use_certificate_chain_file(options.certificate_file, error);
  if (error) {
    return invalid_argument("{}: is no certificate in PEM form: {}", options.certificate_file,
                            error.message());
  }
  context->use_private_key_file(options.key_file, ssl::context::pem, error);
  if (error) {
    return invalid_argument("{}: is no private key of {}: {}", options.key_file, options.certificate_file,
                            error.message());
  }
  // Buffers of idle connections go back: 500 of them would hold 17 MB.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace tessera::http
