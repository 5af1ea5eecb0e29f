#include <cmath>

#include "api/api_test_support.h"
#include "api/base64.h"

namespace tessera::api {
namespace {

ModelCard card() {
  ModelCard card = test_card();
  card.hidden_size = 3;
  return card;
}

Call parse(const std::string& body, Parser parser = parse_embeddings) {
  auto call = parser(body, card(), "id");
  EXPECT_TRUE(call) << call.error().message();
  return call ? std::move(*call) : Call{};
}

engine::Output embedding(std::vector<float> values) {
  return finished({.prompt_tokens = 7, .cached_tokens = 2, .embedding = std::move(values)}, out_of_length());
}

TEST(Base64, OfAnyLength) {
  const auto encoded = [](std::string_view text) { return base64(std::as_bytes(std::span(text))); };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xff\xfe\xfd"), "//79");
}

TEST(Embeddings, InputForms) {
  const Call text = parse(R"({"input":"abc","user":"me"})");
  ASSERT_EQ(text.requests.size(), 1U);
  EXPECT_EQ(text_of(text.requests[0].prompt_ids), "abc");
  EXPECT_EQ(text.requests[0].max_new_tokens, 0);
  EXPECT_EQ(text.requests[0].pooling, engine::Pooling::kLast);
  EXPECT_FALSE(text.stream);
  EXPECT_EQ(text.rids, std::vector<std::string>{"embd-id"});
  EXPECT_EQ(text_of(parse(R"({"input":["a","bc"]})").requests.at(1).prompt_ids), "bc");
  EXPECT_EQ(parse(R"({"input":[1,2]})").requests.at(0).prompt_ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(parse(R"({"input":[[1],[2,3]]})").requests.at(1).prompt_ids, (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(parse(fmt::format(R"({{"input":"{}"}})", std::string(200, 'x'))).requests.at(0).prompt_ids.size(),
            200U)
      << "the whole context";
}

TEST(Embeddings, PoolingIsTheRequestsOrTheServers) {
  EXPECT_EQ(parse(R"({"input":"a","pooling":"mean"})").requests.at(0).pooling, engine::Pooling::kMean);
  ModelCard mean = card();
  mean.pooling = engine::Pooling::kMean;
  EXPECT_EQ(parse_embeddings(R"({"input":"a"})", mean, "id")->requests.at(0).pooling, engine::Pooling::kMean);
  EXPECT_EQ(parse_embeddings(R"({"input":"a","pooling":"last"})", mean, "id")->requests.at(0).pooling,
            engine::Pooling::kLast);
}

TEST(Embeddings, AnswerOfLengthOne) {
  const Call call = parse(R"({"input":["a","b"]})");
  const Json body = Json::parse(call.reply->whole(std::vector{embedding({3, 0, -4}), embedding({0, 0, 0})}));
  EXPECT_EQ(body["object"], "list");
  EXPECT_EQ(body["model"], "tiny");
  EXPECT_EQ(body["data"][0]["object"], "embedding");
  EXPECT_EQ(body["data"][1]["index"], 1);
  EXPECT_EQ(body["data"][0]["embedding"].get<std::vector<float>>(), (std::vector<float>{0.6F, 0, -0.8F}));
  EXPECT_EQ(body["data"][1]["embedding"].get<std::vector<float>>(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(body["usage"]["prompt_tokens"], 14);
  EXPECT_EQ(body["usage"]["total_tokens"], 14);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
}

TEST(Embeddings, FewerDimensionsHaveLengthOneAgain) {
  const Call call = parse(R"({"input":"a","dimensions":2})");
  const Json body = Json::parse(call.reply->whole(std::vector{embedding({6, 8, 100})}));
  EXPECT_EQ(body["data"][0]["embedding"].get<std::vector<float>>(), (std::vector<float>{0.6F, 0.8F}));
}

TEST(Embeddings, Base64IsLittleEndianFloat32) {
  const Call call = parse(R"({"input":"a","encoding_format":"base64"})");
  const Json body = Json::parse(call.reply->whole(std::vector{embedding({0, -5, 0})}));
  // 00000000 000080bf 00000000
  EXPECT_EQ(body["data"][0]["embedding"], "AAAAAAAAgL8AAAAA");
}

TEST(Embeddings, Refusals) {
  const auto wrong = [](const std::string& body, ErrorCode code, std::string_view part) {
    const auto call = parse_embeddings(body, card(), "id");
    ASSERT_FALSE(call) << body;
    EXPECT_EQ(call.error().code(), code) << body;
    EXPECT_NE(call.error().message().find(part), std::string::npos) << call.error().message();
  };
  const ErrorCode invalid = ErrorCode::kInvalidArgument;
  wrong("{}", invalid, "input is null");
  wrong(R"({"input":""})", invalid, "no tokens");
  wrong(R"({"input":[]})", invalid, "no tokens");
  wrong(R"({"input":["a",""]})", invalid, "no tokens");
  wrong(R"({"input":5})", invalid, "input is 5");
  wrong(R"({"input":[{"text":"a"}]})", invalid, "input[0]");
  wrong(R"({"input":[999]})", invalid, "999");
  wrong(fmt::format(R"({{"input":"{}"}})", std::string(201, 'x')), invalid, "201");
  wrong(R"({"input":"a","model":"other"})", invalid, "model");
  wrong(R"({"input":"a","encoding_format":"hex"})", invalid, "encoding_format");
  wrong(R"({"input":"a","pooling":"cls"})", invalid, "pooling is \"cls\", expected \"last\" or \"mean\"");
  for (const char* dimensions : {"0", "4", "1.5", "\"2\""})
    wrong(fmt::format(R"({{"input":"a","dimensions":{}}})", dimensions), invalid, "from 1 to 3");
  wrong(R"({"input":"a","stream":true})", ErrorCode::kUnsupported, "stream");
  EXPECT_EQ(parse(R"({"input":"a"})").reply->error_body(invalid_argument("x")),
            R"({"object":"error","message":"x","type":"BadRequestError","param":null,"code":400})");
}

TEST(Embeddings, AsManyInputsAsMayWait) {
  std::string list = "[1]";
  for (int index = 1; index < 1024; ++index)
    list += ",[1]";
  EXPECT_EQ(parse(fmt::format(R"({{"input":[{}]}})", list)).requests.size(), 1024U);
  const auto more = parse_embeddings(fmt::format(R"({{"input":[{},[1]]}})", list), card(), "id");
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().message(), "input has 1025 prompts, expected at most 1024");
}

TEST(Encode, OneOrAList) {
  const Call one = parse(R"({"text":"ab","sampling_params":{"temperature":0}})", parse_encode);
  EXPECT_EQ(text_of(one.requests.at(0).prompt_ids), "ab");
  const Json body = Json::parse(one.reply->whole(std::vector{embedding({3, 0, 4})}));
  EXPECT_EQ(body["embedding"].get<std::vector<float>>(), (std::vector<float>{0.6F, 0, 0.8F}));
  EXPECT_EQ(body["meta_info"]["id"], "id");
  EXPECT_EQ(body["meta_info"]["prompt_tokens"], 7);
  EXPECT_EQ(body["meta_info"]["finish_reason"]["type"], "length");
  const Call list = parse(R"({"input_ids":[[1],[2]],"rid":["x","y"],"pooling":"mean"})", parse_encode);
  EXPECT_EQ(list.requests.at(1).pooling, engine::Pooling::kMean);
  const Json bodies = Json::parse(list.reply->whole(std::vector{embedding({1, 0, 0}), embedding({0, 2, 0})}));
  ASSERT_EQ(bodies.size(), 2U);
  EXPECT_EQ(bodies[1]["meta_info"]["id"], "y");
  EXPECT_EQ(bodies[1]["embedding"].get<std::vector<float>>(), (std::vector<float>{0, 1, 0}));
  expect_refused(parse_encode, R"({"text":"a","input_ids":[1]})", ErrorCode::kInvalidArgument, "both");
  expect_refused(parse_encode, R"({"text":"a","image_data":"x.png"})", ErrorCode::kUnsupported, "image_data");
  EXPECT_EQ(one.reply->error_body(invalid_argument("x")), R"({"error":{"message":"x"}})");
}

}  // namespace
}  // namespace tessera::api
