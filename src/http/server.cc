#include "http/server.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "http/connection.h"
#include "http/tls.h"

namespace tessera::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// Handlers are ours and throw nothing but out-of-memory: that ends one connection's turn, not the server.
void run_io(asio::io_context& io) {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {
      LOG_ERROR("an I/O handler threw: {}", error.what());
    }
  }
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)),
        acceptor_(asio::make_strand(shared_->io)),
        retry_timer_(acceptor_.get_executor()) {}
  ~Impl() { stop(std::chrono::milliseconds(0)); }

  Status listen();
  void run();
  uint16_t port() const { return port_; }
  void stop(std::chrono::milliseconds deadline);

 private:
  Result<tcp::endpoint> resolve();
  void accept();
  void on_accepted(error_code error, tcp::socket socket);
  std::vector<std::shared_ptr<Connection>> live_connections();
  bool wait_for_connections(std::chrono::steady_clock::time_point until);

  std::shared_ptr<Shared> shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  uint16_t port_ = 0;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Connection>> connections_;  // guarded by mutex_
};

Result<tcp::endpoint> Server::Impl::resolve() {
  const ServerOptions& options = shared_->options;
  error_code error;
  tcp::resolver resolver(shared_->io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return invalid_argument("host \"{}\" cannot be resolved: {}", options.host, error.message());
  }
  // "localhost" means 127.0.0.1 to most clients, whatever the resolver's order.
  const auto ipv4 = std::find_if(found.begin(), found.end(),
                                 [](const auto& entry) { return entry.endpoint().address().is_v4(); });
  return ipv4 != found.end() ? ipv4->endpoint() : found.begin()->endpoint();
}

Status Server::Impl::listen() {
  const ServerOptions& options = shared_->options;
  shared_->tls = TRY(make_tls_context(options.tls));
  const tcp::endpoint endpoint = TRY(resolve());
  error_code error;
  const auto step = [&](auto&& action) {
    if (!error) action();
  };
  step([&] { acceptor_.open(endpoint.protocol(), error); });
  step([&] { acceptor_.set_option(asio::socket_base::reuse_address(true), error); });
  step([&] { acceptor_.bind(endpoint, error); });
  step([&] { acceptor_.listen(asio::socket_base::max_listen_connections, error); });
  if (error == asio::error::address_in_use) {
    return unavailable("{}:{} is in use by another program, choose another --port", options.host,
                       options.port);
  }
  if (error)
    return invalid_argument("cannot listen on {}:{}: {}", options.host, options.port, error.message());
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

void Server::Impl::run() {
  work_.emplace(asio::make_work_guard(shared_->io));
  accept();
  for (int thread = 0; thread < shared_->options.io_threads; ++thread) {
    threads_.emplace_back([shared = shared_] { run_io(shared->io); });
  }
}

void Server::Impl::accept() {
  acceptor_.async_accept(asio::make_strand(shared_->io), [this](error_code error, tcp::socket socket) {
    on_accepted(error, std::move(socket));
  });
}

void Server::Impl::on_accepted(error_code error, tcp::socket socket) {
  if (!acceptor_.is_open()) return;
  if (error) {
    // Out of file descriptors, for example: accepting again at once would spin.
    LOG_WARN("accept failed: {}", error.message());
    retry_timer_.expires_after(std::chrono::milliseconds(100));
    retry_timer_.async_wait([this](error_code cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
    return;
  }
  // First of all: should this one fail for want of memory, the next ones are still accepted.
  accept();
  if (shared_->connections.load() >= shared_->options.max_connections) {
    LOG_WARN("connection refused: {} are open already", shared_->options.max_connections);
  } else {
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_);
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
      connections_.push_back(connection);
    }
    connection->start();
  }
}

std::vector<std::shared_ptr<Connection>> Server::Impl::live_connections() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Connection>> live;
  for (const auto& weak : connections_) {
    if (auto connection = weak.lock()) live.push_back(std::move(connection));
  }
  return live;
}

bool Server::Impl::wait_for_connections(std::chrono::steady_clock::time_point until) {
  while (shared_->connections.load() > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return shared_->connections.load() == 0;
}

void Server::Impl::stop(std::chrono::milliseconds deadline) {
  if (threads_.empty()) return;
  const auto until = std::chrono::steady_clock::now() + deadline;
  shared_->stopping.store(true);
  asio::post(acceptor_.get_executor(), [this] {
    error_code ignored;
    acceptor_.close(ignored);
    retry_timer_.cancel();
  });
  for (const auto& connection : live_connections())
    connection->close_when_idle();
  if (!wait_for_connections(until)) {
    for (const auto& connection : live_connections())
      connection->abort();
    wait_for_connections(std::chrono::steady_clock::now() + std::chrono::seconds(2));
  }
  // Not io.stop(): what is queued holds connections, which hold the io_context. All of it must run out.
  work_.reset();
  shared_->stopped.store(true);
  for (std::thread& thread : threads_)
    thread.join();
  threads_.clear();
}

Status Server::check_address(const ServerOptions& options) {
  auto shared = std::make_shared<Shared>();
  shared->options = options;
  return Impl(std::move(shared)).listen();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
  auto shared = std::make_shared<Shared>();
  shared->options = std::move(options);
  shared->handler = std::move(handler);
  auto impl = std::make_unique<Impl>(std::move(shared));
  TRY_STATUS(impl->listen());
  impl->run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
uint16_t Server::port() const {
  return impl_->port();
}
void Server::stop(std::chrono::milliseconds deadline) {
  impl_->stop(deadline);
}

}  // namespace tessera::http
