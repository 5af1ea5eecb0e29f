// Both completers end to end: an engine over a tiny model, and HTTP against a socket of the test's own.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "eval/engine_completer.h"
#include "eval/server_completer.h"
#include "formats/json_limits.h"

namespace tessera::eval {
namespace {

/// Serves `replies` one after the other, a connection each, and keeps the requests.
class OneByOneServer {
 public:
  explicit OneByOneServer(std::vector<std::string> replies) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(bind(socket_, generic, size) == 0 && listen(socket_, 8) == 0, "no socket");
    CHECK(getsockname(socket_, generic, &size) == 0, "no port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, replies = std::move(replies)] {
      for (const std::string& reply : replies)
        serve(reply);
    });
  }
  OneByOneServer(const OneByOneServer&) = delete;
  OneByOneServer& operator=(const OneByOneServer&) = delete;
  ~OneByOneServer() { join(); }

  void join() {
    if (thread_.joinable()) thread_.join();
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::vector<std::string> requests;  // after join()

 private:
  void serve(const std::string& reply) {
    const int connection = accept(socket_, nullptr, nullptr);
    std::string request;
    char bytes[4096];
    // The requests here are short JSON objects, which end in "}"; a GET ends in a blank line.
    while (!request.ends_with("}") && !request.ends_with("\r\n\r\n")) {
      const ssize_t got = read(connection, bytes, sizeof(bytes));
      if (got <= 0) break;
      request.append(bytes, static_cast<size_t>(got));
      // The header of a POST ends in a blank line too: its body follows.
      if (request.starts_with("POST") && request.ends_with("\r\n\r\n")) request += ' ';
    }
    requests.push_back(request);
    const ssize_t sent = write(connection, reply.data(), reply.size());
    CHECK(sent == static_cast<ssize_t>(reply.size()), "short write");
    close(connection);
  }

  int socket_;
  uint16_t port_ = 0;
  std::thread thread_;
};

std::string reply(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

nlohmann::json body_of(const std::string& request) {
  const auto json = formats::parse_json(request.substr(request.find('{')), "request");
  EXPECT_TRUE(json.has_value()) << request;
  return json ? *json : nlohmann::json();
}

const CompletionOptions kOneByOne{.max_new_tokens = 7, .stop = {"Question"}, .parallel = 1};

TEST(ServerCompleter, AsksSglangsGenerate) {
  OneByOneServer server({reply(R"({"text": " four", "meta_info": {"completion_tokens": 2}})"),
                         reply(R"({"text": " five", "meta_info": {"completion_tokens": 3}})")});
  auto completer =
      ServerCompleter::connect({.base_url = server.url() + "/", .api_key = "secret", .model = ""});
  ASSERT_TRUE(completer.has_value());
  const std::vector<std::string> prompts = {"2+2", "2+3"};
  int done = 0;
  const auto answers = (*completer)->complete(prompts, kOneByOne, [&] { ++done; });
  ASSERT_TRUE(answers.has_value()) << answers.error().message();
  EXPECT_EQ((*answers)[0].text, " four");
  EXPECT_EQ((*answers)[1].completion_tokens, 3);
  EXPECT_EQ(done, 2);
  server.join();
  EXPECT_TRUE(server.requests[0].starts_with("POST /generate HTTP/1.1\r\n")) << server.requests[0];
  EXPECT_NE(server.requests[0].find("Authorization: Bearer secret\r\n"), std::string::npos);
  const nlohmann::json body = body_of(server.requests[0]);
  EXPECT_EQ(body["text"], "2+2");
  EXPECT_EQ(body["sampling_params"]["max_new_tokens"], 7);
  EXPECT_EQ(body["sampling_params"]["temperature"], 0);
  EXPECT_EQ(body["sampling_params"]["stop"], nlohmann::json::array({"Question"}));
}

TEST(ServerCompleter, AsksOpenAisCompletionsOfTheFirstModel) {
  OneByOneServer server({reply(R"({"data": [{"id": "tiny"}]})"),
                         reply(R"({"choices": [{"text": "x"}], "usage": {"completion_tokens": 1}})")});
  auto completer = ServerCompleter::connect(
      {.base_url = server.url(), .api_key = "", .api = ServerOptions::Api::kCompletions, .model = ""});
  ASSERT_TRUE(completer.has_value()) << completer.error().message();
  const std::vector<std::string> prompts = {"p"};
  const auto answers = (*completer)->complete(prompts, kOneByOne, [] {});
  ASSERT_TRUE(answers.has_value()) << answers.error().message();
  EXPECT_EQ((*answers)[0].text, "x");
  server.join();
  const nlohmann::json body = body_of(server.requests[1]);
  EXPECT_EQ(body["model"], "tiny");
  EXPECT_EQ(body["max_tokens"], 7);
}

TEST(ServerCompleter, SaysWhatWasWrong) {
  EXPECT_FALSE(
      ServerCompleter::connect({.base_url = "file:///etc/passwd", .api_key = "", .model = ""}).has_value());
  const std::vector<std::string> prompts = {"p"};
  for (const auto& [sent, expected] :
       {std::pair{reply("queue is full", "429 Too Many Requests"), "status 429, expected 200: queue is full"},
        {reply("{\"text\": 5}"), "expected text and meta_info"},
        {reply("not JSON"), "prompt 0"}}) {
    OneByOneServer server({sent});
    auto completer = ServerCompleter::connect({.base_url = server.url(), .api_key = "", .model = ""});
    const auto answers = (*completer)->complete(prompts, kOneByOne, [] {});
    ASSERT_FALSE(answers.has_value());
    EXPECT_NE(answers.error().message().find(expected), std::string::npos) << answers.error().message();
  }
}

TEST(EngineCompleter, AnswersInOrderWhateverRunsTogether) {
  std::vector<std::string> prompts;
  for (int at = 0; at < 9; ++at)
    prompts.push_back("the number " + std::to_string(at * at));
  std::vector<std::vector<Completion>> runs;
  for (const int32_t parallel : {1, 4}) {
    engine::OpenOptions open;
    open.load.model_path = TESSERA_SOURCE_DIR "/tests/golden/models/qwen3-moe";
    open.load.threads = 2;
    auto model = engine::open_model(open);
    ASSERT_TRUE(model.has_value()) << model.error().message();
    auto completer = EngineCompleter::start(std::move(*model), parallel);
    ASSERT_TRUE(completer.has_value()) << completer.error().message();
    int done = 0;
    auto answers =
        (*completer)->complete(prompts, {.max_new_tokens = 5, .stop = {}, .parallel = parallel}, [&] {
          ++done;
        });
    ASSERT_TRUE(answers.has_value()) << answers.error().message();
    EXPECT_EQ(done, 9);
    runs.push_back(std::move(*answers));
  }
  for (size_t at = 0; at < prompts.size(); ++at) {
    EXPECT_EQ(runs[0][at].text, runs[1][at].text) << at;
    EXPECT_EQ(runs[0][at].completion_tokens, 5);
  }
}

TEST(EngineCompleter, NamesThePromptThatCannotRun) {
  engine::OpenOptions open;
  open.load.model_path = TESSERA_SOURCE_DIR "/tests/golden/models/qwen3-moe";
  open.load.threads = 2;
  auto model = engine::open_model(open);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  auto completer = EngineCompleter::start(std::move(*model), 2);
  ASSERT_TRUE(completer.has_value()) << completer.error().message();
  const std::vector<std::string> prompts = {"short", std::string(10000, 'x')};
  const auto answers =
      (*completer)->complete(prompts, {.max_new_tokens = 5, .stop = {}, .parallel = 2}, [] {});
  ASSERT_FALSE(answers.has_value());
  EXPECT_TRUE(answers.error().message().starts_with("prompt 1: ")) << answers.error().message();
}

}  // namespace
}  // namespace tessera::eval
