// What the server's tests share: a server on real sockets over the real engine, with a scripted executor in
// place of a model. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "api/api_test_support.h"
#include "engine/fake_executor.h"
#include "http/test_client.h"
#include "server/server.h"

namespace tessera::server {

using namespace std::chrono_literals;
using api::Json;
using http::TestClient;
using http::TestResponse;

inline constexpr int32_t kContext = 512;
inline constexpr int32_t kHidden = 4;

// Says the alphabet on and on: the token after n tokens is letter n.
inline int32_t alphabet(std::span<const int32_t> history) {
  return 'a' + static_cast<int32_t>(history.size() % 26);
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.http.port = 0;
    options_.version = "test";
    card_ = api::test_card(kContext);
    card_.hidden_size = kHidden;
    engine_options_.eos_token_ids = {engine::kEos};
  }

  void start() {
    const engine::ExecutorInfo info{.vocab_size = engine::kByteVocab,
                                    .hidden_size = kHidden,
                                    .max_context = kContext,
                                    .page_size = 8,
                                    .page_count = 512};
    auto executor = std::make_unique<engine::FakeExecutor>(info, alphabet, [this](const auto&) -> Status {
      if (fail_.load()) return internal_error("weights on fire");
      std::this_thread::sleep_for(step_time_.load());
      return {};
    });
    auto engine = engine::Engine::start(std::move(executor), api::test_tokenizer(), engine_options_);
    ASSERT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine);
    auto server = Server::start(options_, card_, *engine_);
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }

  TestResponse get(std::string_view path, std::string_view headers = "") {
    return TestClient(server_->port()).request("GET", path, "", headers);
  }
  TestResponse post(std::string_view path, std::string_view body, std::string_view headers = "") {
    return TestClient(server_->port()).request("POST", path, body, headers);
  }
  // Waits until the engine has no request left, at most a few seconds.
  bool engine_is_idle() {
    for (int round = 0; round < 2000; ++round) {
      const auto stats = engine_->stats();
      if (stats.running == 0 && stats.queued == 0 && stats.used_tokens == 0) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  bool engine_is_busy() {
    for (int round = 0; round < 2000; ++round) {
      if (engine_->stats().running > 0) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  std::atomic<bool> fail_{false};
  std::atomic<std::chrono::milliseconds> step_time_{0ms};
  engine::EngineOptions engine_options_;
  ServerOptions options_;
  api::ModelCard card_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Server> server_;  // after what it refers to
};

}  // namespace tessera::server
