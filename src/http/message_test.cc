#include "http/message.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "http/api_key.h"
#include "http/request_id.h"

namespace tessera::http {
namespace {

TEST(ParseTarget, SplitsAndDecodes) {
  const auto target = parse_target("/v1/models/a%20b%2Fc?x=%41");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/models/a b/c");
  EXPECT_EQ(target->query, "x=%41");
  EXPECT_EQ(parse_target("http://host:1/health?q")->path, "/health");
  EXPECT_EQ(parse_target("http://host")->path, "/");
  EXPECT_EQ(parse_target("*")->path, "*");
}

TEST(ParseTarget, RefusesBadCodes) {
  for (const char* target : {"/%", "/%4", "/%zz", "/%00", "/a%1"})
    EXPECT_FALSE(parse_target(target)) << target;
}

TEST(ResponseHead, WholeAndChunked) {
  const Response response{
      .status = 429, .content_type = "application/json", .body = "{}", .headers = {{"Retry-After", "1"}}};
  const std::string whole = response_head(response, 2, {.request_id = "r1"});
  EXPECT_TRUE(whole.starts_with("HTTP/1.1 429 Too Many Requests\r\nDate: "));
  EXPECT_NE(whole.find("Content-Length: 2\r\n"), std::string::npos);
  EXPECT_NE(whole.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_NE(whole.find("X-Request-Id: r1\r\n"), std::string::npos);
  EXPECT_EQ(whole.find("Connection"), std::string::npos);
  EXPECT_NE(response_head(response, -1, {}).find("Transfer-Encoding: chunked"), std::string::npos);
  const std::string old =
      response_head(response, -1, {.request_id = "r2", .keep_alive = false, .http10 = true});
  EXPECT_EQ(old.find("chunked"), std::string::npos);
  EXPECT_NE(old.find("Connection: close"), std::string::npos);
}

TEST(EncodeChunk, SizeInHex) {
  EXPECT_EQ(encode_chunk(std::string(26, 'x')), "1a\r\n" + std::string(26, 'x') + "\r\n");
}

TEST(ApiKeys, BearerOnly) {
  const ApiKeys keys(std::vector<std::string>{"other", "", "secret"});
  EXPECT_TRUE(keys.match("Bearer secret"));
  EXPECT_TRUE(keys.match("bearer secret"));
  EXPECT_TRUE(keys.match("Bearer other"));
  for (const char* wrong : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secret ",
                            "Bearer secrets", "Basic secret"}) {
    EXPECT_FALSE(keys.match(wrong)) << wrong;
  }
  EXPECT_TRUE(ApiKeys().empty() && ApiKeys(std::vector<std::string>{""}).empty());
}

TEST(ApiKeys, OfAFile) {
  const std::string path = testing::TempDir() + "tessera_api_keys";
  std::ofstream(path) << "# whose\n\n  one \r\ntwo";
  const auto keys = read_api_keys(path);
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(*keys, (std::vector<std::string>{"one", "two"}));
  std::ofstream(path) << "# none\n";
  EXPECT_EQ(read_api_keys(path).error().code(), ErrorCode::kInvalidArgument);
  std::filesystem::remove(path);
  EXPECT_EQ(read_api_keys(path).error().code(), ErrorCode::kNotFound);
}

TEST(QueryValue, FindsAndDecodes) {
  EXPECT_EQ(query_value("a=1&b=%20x&c", "a"), "1");
  EXPECT_EQ(query_value("a=1&b=%20x&c", "b"), " x");
  EXPECT_EQ(query_value("a=1&b=%20x&c", "c"), "");
  for (const char* query : {"", "&&", "ab=1", "a=%zz", "b=a"})
    EXPECT_EQ(query_value(query, "a"), std::nullopt) << query;
}

TEST(RequestId, KeepsUsableOnes) {
  EXPECT_EQ(usable_request_id("abc-1_2.3:4"), "abc-1_2.3:4");
  for (const char* bad : {"", "a b", "a\nb", "\"", "ä"})
    EXPECT_EQ(usable_request_id(bad).size(), 32U) << bad;
  EXPECT_EQ(usable_request_id(std::string(129, 'a')).size(), 32U);
  EXPECT_NE(new_request_id(), new_request_id());
}

}  // namespace
}  // namespace tessera::http
