// Numbers reach a template as they were sent. The values are those that a fast parser reads one unit in the
// last place wrong; the expected texts are Python's json.dumps of the same.
#include <gtest/gtest.h>

#include "text/chat_template.h"

namespace tessera::text {
namespace {

TEST(TemplateNumbers, FloatsComeOutWithTheDigitsThatWentIn) {
  const auto compiled = ChatTemplate::compile("{{ v | tojson }}", {});
  ASSERT_TRUE(compiled) << compiled.error().message();
  for (const std::string number :
       {"0.9675365935142721", "0.9652369469095761", "0.9397975096763439", "0.9634332216397739",
        "0.9195821334605625", "0.9122765540506143", "-0.9195821334605625"}) {
    const nlohmann::ordered_json kwargs = {{"v", nlohmann::ordered_json::parse(number)}};
    const auto rendered = compiled->render(nlohmann::ordered_json::array(), nullptr, false, kwargs);
    ASSERT_TRUE(rendered) << rendered.error().message();
    EXPECT_EQ(*rendered, number);
  }
}

}  // namespace
}  // namespace tessera::text
