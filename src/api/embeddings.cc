// Embeddings of prompts: /v1/embeddings, OpenAI's, and /encode, SGLang's native one. The engine gives the
// pooled hidden state; here it is cut to the dimensions asked for and brought to length 1, as SGLang does for
// decoders.
#include <chrono>
#include <cmath>
#include <utility>

#include "api/base64.h"
#include "api/call.h"
#include "api/error.h"
#include "api/openai_reply.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr double kSmallestLength = 1e-12;  // torch's normalize(): a zero vector stays one

constexpr Refused kRefused[] = {
    {"stream", Refused::Neutral::kFalse},
    {"lora_path", Refused::Neutral::kNothing},
};
constexpr Refused kRefusedNative[] = {
    {"image_data", Refused::Neutral::kEmpty},
    {"audio_data", Refused::Neutral::kEmpty},
    {"video_data", Refused::Neutral::kEmpty},
    {"is_cross_encoder_request", Refused::Neutral::kFalse},
};

/// The first `dimensions` numbers of `pooled`, divided by their Euclidean length.
std::vector<float> unit_vector(std::span<const float> pooled, size_t dimensions) {
  pooled = pooled.first(std::min(dimensions, pooled.size()));
  double squares = 0;
  for (const float number : pooled)
    squares += static_cast<double>(number) * number;
  const double length = std::max(std::sqrt(squares), kSmallestLength);
  std::vector<float> unit;
  for (const float number : pooled)
    unit.push_back(static_cast<float>(number / length));
  return unit;
}

/// An answer that is never streamed: `stream` is refused.
class VectorReply : public Reply {
 public:
  std::string piece(size_t /*index*/, const engine::Output& /*piece*/) override { return {}; }
  std::string failure(const Error& /*error*/) override { return {}; }
};

class OpenAiVectors : public VectorReply {
 public:
  OpenAiVectors(std::string model, size_t dimensions, bool base64)
      : model_(std::move(model)), dimensions_(dimensions), base64_(base64) {}

  std::string whole(std::span<const engine::Output> answers) override {
    Json data = Json::array();
    int64_t tokens = 0, cached = 0;
    for (size_t index = 0; index < answers.size(); ++index) {
      const auto vector = unit_vector(answers[index].embedding, dimensions_);
      data.push_back(
          {{"object", "embedding"},
           {"index", index},
           {"embedding", base64_ ? Json(base64(std::as_bytes(std::span(vector)))) : Json(vector)}});
      tokens += answers[index].prompt_tokens;
      cached += answers[index].cached_tokens;
    }
    return dump({{"object", "list"},
                 {"data", std::move(data)},
                 {"model", model_},
                 {"usage",
                  {{"prompt_tokens", tokens},
                   {"total_tokens", tokens},
                   {"prompt_tokens_details", {{"cached_tokens", cached}}}}}});
  }
  std::string error_body(const Error& error) override {
    return openai_error(http_status(error.code()), public_message(error));
  }

 private:
  std::string model_;
  size_t dimensions_;
  bool base64_;
};

class NativeVectors : public VectorReply {
 public:
  NativeVectors(std::vector<std::string> rids, bool is_list, size_t dimensions)
      : rids_(std::move(rids)), is_list_(is_list), dimensions_(dimensions) {}

  std::string whole(std::span<const engine::Output> answers) override {
    Json list = Json::array();
    for (size_t index = 0; index < answers.size(); ++index)
      list.push_back(answer(index, answers[index]));
    return dump(is_list_ ? list : list[0]);
  }
  std::string error_body(const Error& error) override { return native_error(public_message(error)); }

 private:
  Json answer(size_t index, const engine::Output& output) const {
    const std::chrono::duration<double> latency = std::chrono::steady_clock::now() - received_;
    return {{"embedding", unit_vector(output.embedding, dimensions_)},
            {"meta_info",
             {{"id", rids_[index]},
              {"finish_reason", native_finish_reason(output)},
              {"prompt_tokens", output.prompt_tokens},
              {"cached_tokens", output.cached_tokens},
              {"weight_version", "default"},
              {"total_retractions", output.retractions},
              {"e2e_latency", latency.count()}}}};
  }

  std::vector<std::string> rids_;
  bool is_list_;
  size_t dimensions_;
  std::chrono::steady_clock::time_point received_ = std::chrono::steady_clock::now();
};

Result<size_t> read_dimensions(const Fields& fields, const ModelCard& card) {
  const auto asked = TRY(fields.integer("dimensions", 1, card.hidden_size));
  return static_cast<size_t>(asked.value_or(card.hidden_size));
}

Result<bool> wants_base64(const Fields& fields) {
  const auto format = TRY(fields.string("encoding_format"));
  if (!format || *format == "float") return false;
  if (*format == "base64") return true;
  return fields.wrong("encoding_format", "\"float\" or \"base64\"");
}

/// A request to the engine for each prompt.
Result<std::vector<engine::Request>> read_requests(const Fields& fields, const ModelCard& card,
                                                   Prompts prompts) {
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  engine::Request common{.pooling = card.pooling};
  if (const auto name = TRY(fields.string("pooling"))) {
    const auto pooling = engine::parse_pooling(*name);
    if (!pooling) return fields.wrong("pooling", "\"last\" or \"mean\"");
    common.pooling = *pooling;
  }
  std::vector<engine::Request> requests;
  for (auto& ids : prompts.ids) {
    common.prompt_ids = std::move(ids);
    TRY_STATUS(limit_tokens(0, 0, card, common));
    requests.push_back(common);
  }
  return requests;
}

}  // namespace

Result<Call> parse_embeddings(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  const Json* input = fields.find("input");
  if (!input) return fields.wrong("input", "text or token ids, or a list of either");
  Prompts prompts = TRY(read_prompts(*input, "input", card, card.limits.inputs));
  Call call;
  call.requests = TRY(read_requests(fields, card, std::move(prompts)));
  const std::string rid = TRY(read_rid(fields, fmt::format("embd-{}", id)));
  call.rids.assign(call.requests.size(), rid);
  const size_t dimensions = TRY(read_dimensions(fields, card));
  call.reply = std::make_unique<OpenAiVectors>(card.id, dimensions, TRY(wants_base64(fields)));
  return call;
}

Result<Call> parse_encode(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(refuse_unsupported(fields, kRefusedNative));
  Prompts prompts = TRY(read_native_prompts(fields, card, card.limits.inputs));
  const bool is_list = prompts.is_list;
  Call call;
  call.requests = TRY(read_requests(fields, card, std::move(prompts)));
  call.rids = TRY(read_rids(fields, id, call.requests.size()));
  call.reply = std::make_unique<NativeVectors>(call.rids, is_list, TRY(read_dimensions(fields, card)));
  return call;
}

}  // namespace tessera::api
