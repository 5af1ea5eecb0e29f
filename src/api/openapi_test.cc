// The description of the interface against the code that reads requests: the fields of each are the same.
#include "api/openapi.h"

#include <gmock/gmock.h>

#include <set>

#include "api/abort.h"
#include "api/api_test_support.h"
#include "api/fields.h"
#include "api/tokenize.h"

namespace tessera::api {
namespace {

/// What a request is read by, whatever becomes of it.
using Reader = std::function<bool(const std::string& body)>;

template <class Parse>
Reader reader(Parse parse) {
  return [parse](const std::string& body) {
    if constexpr (std::is_invocable_v<Parse, std::string_view, const ModelCard&, std::string_view>) {
      return parse(body, test_card(), "id").has_value();
    } else if constexpr (std::is_invocable_v<Parse, std::string_view, const ModelCard&>) {
      return parse(body, test_card()).has_value();
    } else {
      return parse(body, Limits()).has_value();
    }
  };
}

class Described {
 public:
  /// The names of the fields of the schema `name`, "a.b" within objects, but nothing within lists.
  static std::set<std::string> fields(const std::string& name) {
    Described described;
    described.add(described.schemas_[name], "");
    return described.names_;
  }

 private:
  void add(const Json& schema, const std::string& prefix) {
    if (schema.contains("$ref")) {
      const auto target = schema["$ref"].get<std::string>();
      return add(schemas_[target.substr(target.rfind('/') + 1)], prefix);
    }
    for (const char* parts : {"allOf", "anyOf"}) {
      for (const Json& part : schema.value(parts, Json::array()))
        add(part, prefix);
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [field, value] : properties.items()) {
      names_.insert(prefix + field);
      add(value, prefix + field + ".");
    }
  }

  const Json schemas_ = Json::parse(openapi_schemas());
  std::set<std::string> names_;
};

struct Case {
  const char* schema;
  Reader read;
  const char* body;  // of which every field is looked for
};

TEST(OpenApi, FieldsAreReadAndDescribed) {
  const Case cases[] = {{"ChatRequest", reader(parse_chat),
                         R"({"messages":[{"role":"user","content":"x"}],"response_format":{"type":"text"}})"},
                        {"CompletionRequest", reader(parse_completion), R"({"prompt":"x"})"},
                        {"GenerateRequest", reader(parse_generate), R"({"text":"x"})"},
                        {"EmbeddingRequest", reader(parse_embeddings), R"({"input":"x"})"},
                        {"EncodeRequest", reader(parse_encode), R"({"text":"x"})"},
                        {"TokenizeRequest", reader(tokenize), R"({"prompt":"x"})"},
                        {"DetokenizeRequest", reader(detokenize), R"({"tokens":[1]})"},
                        {"AbortRequest", reader(parse_abort), R"({"rid":"x"})"}};
  for (const auto& [schema, read, body] : cases) {
    SCOPED_TRACE(schema);
    const FieldNames names;
    EXPECT_TRUE(read(body)) << body;
    std::set<std::string> seen = names.seen();
    std::erase_if(seen, [](const std::string& name) { return name.find('[') != name.npos; });
    EXPECT_THAT(seen, testing::ContainerEq(Described::fields(schema)));
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const Json schemas = Json::parse(openapi_schemas());
  std::string text = std::string(openapi_paths()) + std::string(openapi_schemas());
  const std::string key = "#/components/schemas/";
  int found = 0;
  for (size_t at = text.find(key); at != text.npos; at = text.find(key, at + 1), ++found) {
    const size_t begin = at + key.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(schemas.contains(name)) << name;
  }
  EXPECT_GT(found, 40);
}

}  // namespace
}  // namespace tessera::api
