// The server behind TLS, as OpenSSL's own client sees it, with a certificate made for the test.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "http/server.h"
#include "http/test_client.h"

namespace tessera::http {
namespace {

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// A self-signed certificate for "test" and its key, as PEM files that are gone with the object.
class Certificate {
 public:
  explicit Certificate(const std::string& name)
      : file(testing::TempDir() + "tessera_" + name + std::to_string(getpid()) + ".pem"),
        key_file(file + ".key") {
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Owned<X509> x509(X509_new(), X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"),
                               -1, -1, 0);
    X509_set_issuer_name(x509.get(), subject);
    X509_sign(x509.get(), key.get(), EVP_sha256());
    const Owned<BIO> key_out(BIO_new_file(key_file.c_str(), "w"), BIO_free_all);
    PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const Owned<BIO> out(BIO_new_file(file.c_str(), "w"), BIO_free_all);
    PEM_write_bio_X509(out.get(), x509.get());
  }
  ~Certificate() {
    std::filesystem::remove(file);
    std::filesystem::remove(key_file);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  const std::string file, key_file;
};

// Sends one request and reads until the server closes.
std::string ask(uint16_t port, const std::string& request) {
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const Owned<BIO> bio(BIO_new_ssl_connect(context.get()), BIO_free_all);
  BIO_set_conn_hostname(bio.get(), address.c_str());
  if (BIO_do_connect(bio.get()) != 1) return "no connection";
  if (BIO_do_handshake(bio.get()) != 1) return "no handshake";
  BIO_write(bio.get(), request.data(), static_cast<int>(request.size()));
  std::string answer;
  char bytes[4096];
  for (int count = 0; (count = BIO_read(bio.get(), bytes, sizeof bytes)) > 0;)
    answer.append(bytes, static_cast<size_t>(count));
  return answer;
}

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.port = 0;
    options_.tls = {
        .certificate_file = certificate_.file, .key_file = certificate_.key_file, .key_password = ""};
  }

  Status start() {
    auto server = Server::start(options_, [](const Request& request, const auto& writer) {
      if (request.path != "/stream") {
        return writer->send({.body = request.path + " " + request.body, .headers = {}});
      }
      writer->begin_stream(200, "text/plain");
      for (int piece = 0; piece < 100; ++piece)
        writer->write(std::string(5000, '#'));
      writer->finish();
    });
    if (!server) return server.error();
    server_ = std::move(*server);
    return {};
  }

  Certificate certificate_{"tls_test"};
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, AnswersAndStreams) {
  ASSERT_TRUE(start());
  const std::string whole =
      ask(server_->port(), "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_TRUE(whole.starts_with("HTTP/1.1 200 OK\r\n")) << whole;
  EXPECT_TRUE(whole.ends_with("\r\n\r\n/a hi")) << whole;
  const std::string two =
      ask(server_->port(), "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.0\r\nHost: x\r\n\r\n");
  EXPECT_NE(two.find("/a "), std::string::npos);
  EXPECT_TRUE(two.ends_with("/b ")) << "pipelined requests: " << two;
  const std::string stream = ask(server_->port(), "GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
  EXPECT_EQ(std::count(stream.begin(), stream.end(), '#'), 500'000);
}

TEST_F(TlsTest, StrangersAreDroppedAndOthersServed) {
  options_.header_timeout = std::chrono::milliseconds(100);
  ASSERT_TRUE(start());
  TestClient plain(server_->port());
  plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(plain.read_response().status, 0) << "no answer in the clear";
  TestClient silent(server_->port());
  EXPECT_TRUE(silent.at_end()) << "a handshake that never comes ends at the limit";
  EXPECT_TRUE(ask(server_->port(), "GET /c HTTP/1.0\r\n\r\n").ends_with("/c "));
}

TEST_F(TlsTest, BadFilesAreNamed) {
  options_.tls.key_file = "";
  EXPECT_NE(start().error().message().find("only the certificate"), std::string::npos);
  options_.tls.key_file = "/no/such.key";
  EXPECT_NE(start().error().message().find("/no/such.key"), std::string::npos);
  const Certificate other("other");
  options_.tls.key_file = other.key_file;
  EXPECT_FALSE(start()) << "the key of another certificate";
  options_.tls.certificate_file = "/dev/null";
  EXPECT_NE(start().error().message().find("/dev/null"), std::string::npos);
}

}  // namespace
}  // namespace tessera::http
