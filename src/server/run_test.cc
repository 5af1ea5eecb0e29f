#include "server/run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "api/api_test_support.h"
#include "engine/fake_executor.h"
#include "http/test_client.h"

namespace tessera::server {
namespace {

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const engine::ExecutorInfo info{
        .vocab_size = engine::kByteVocab, .max_context = 64, .page_size = 8, .page_count = 64};
    auto engine =
        engine::Engine::start(std::make_unique<engine::FakeExecutor>(info, engine::FakeExecutor::Script(),
                                                                     [this](const auto&) -> Status {
                                                                       if (fail_)
                                                                         return internal_error("no weights");
                                                                       return {};
                                                                     }),
                              api::test_tokenizer(), {});
    ASSERT_TRUE(engine);
    engine_ = std::move(*engine);
    // A port that is free now; the tests of one machine do not fight over it within milliseconds.
    http::ServerOptions probe;
    probe.port = 0;
    auto server = http::Server::start(probe, [](const auto&, const auto&) {});
    ASSERT_TRUE(server);
    options_.http.port = (*server)->port();
  }

  bool fail_ = false;
  ServerOptions options_;
  std::unique_ptr<engine::Engine> engine_;
};

TEST_F(RunTest, ServesUntilTheSignal) {
  Status status;
  std::thread main([&] { status = run(options_, api::test_card(), *engine_, {.drain_timeout_s = 5}); });
  int health = 0;
  for (int round = 0; health != 200 && round < 2000; ++round) {
    http::TestClient client(options_.http.port);
    if (client.connected()) health = client.request("GET", "/health").status;
    if (health != 200) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(health, 200);
  std::raise(SIGTERM);
  main.join();
  EXPECT_TRUE(status);
  EXPECT_FALSE(http::TestClient(options_.http.port).connected());
}

TEST_F(RunTest, AFailedWarmUpIsAnError) {
  fail_ = true;
  const Status status = run(options_, api::test_card(), *engine_, {});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message().find("warm-up"), std::string::npos);
}

TEST(ClientUrl, IsUsable) {
  EXPECT_EQ(client_url("127.0.0.1", 5), "http://127.0.0.1:5");
  EXPECT_EQ(client_url("0.0.0.0", 5), "http://127.0.0.1:5");
  EXPECT_EQ(client_url("::1", 5), "http://[::1]:5");
  EXPECT_EQ(client_url("example.org", 5, true), "https://example.org:5");
}

TEST(Loopback, IsThisMachineOnly) {
  EXPECT_TRUE(is_loopback("127.0.0.1") && is_loopback("localhost") && is_loopback("::1"));
  EXPECT_FALSE(is_loopback("0.0.0.0") || is_loopback("10.0.0.1") || is_loopback("::"));
}

}  // namespace
}  // namespace tessera::server
