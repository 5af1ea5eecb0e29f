#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace tessera::text {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const Json kHi = Json::array({{{"role", "user"}, {"content", "hi"}}});

Result<std::string> render(const std::string& source, const Json& kwargs = nullptr,
                           const Json& messages = kHi) {
  const auto compiled = ChatTemplate::compile(source, {{"bos_token", "<s>"}});
  if (!compiled) return compiled.error();
  return compiled->render(messages, nullptr, true, kwargs);
}

TEST(ChatTemplate, PassesTheVariablesOfTransformers) {
  EXPECT_EQ(*render("{{ bos_token }}{{ messages[0].content }}{{ tools is none }}{{ documents is none }}"
                    "{{ add_generation_prompt }}{{ eos_token is defined }}"),
            "<s>hiTrueTrueTrueFalse");
}

TEST(ChatTemplate, ArgumentsWinOverSpecialTokensButNotOverTheRequest) {
  EXPECT_EQ(*render("{{ bos_token }}{{ x }}", {{"bos_token", "B"}, {"x", 1}}), "B1");
  const auto taken = render("x", {{"messages", 1}});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(taken.error().message(), HasSubstr("messages"));
  EXPECT_FALSE(render("x", Json::array()));
}

TEST(ChatTemplate, KeepsTheOrderOfKeys) {
  EXPECT_EQ(*render("{{ x | tojson }}", {{"x", {{"z", 1}, {"a", "é<&"}}}}), R"({"z": 1, "a": "é<&"})");
}

TEST(ChatTemplate, ReasoningIsKnownByEveryName) {
  const Json messages = Json::array({{{"role", "assistant"}, {"reasoning", "why"}, {"content", nullptr}}});
  EXPECT_EQ(*render("{{ messages[0] | tojson }}", nullptr, messages),
            R"({"thinking": "why", "role": "assistant", "reasoning": "why", "reasoning_content": "why"})");
}

TEST(ChatTemplate, StringMethodsAreThoseOfPython) {
  EXPECT_EQ(*render("{{ 'a,b,c'.split(',', maxsplit=1) | tojson }}{{ ' a\x1c '.strip() }}{{ "
                    "'a,b,c'.rsplit(',', 1) | tojson }}"),
            R"(["a", "b,c"]a["a,b", "c"])");
  EXPECT_EQ(*render("{{ 'a\\r\\nb\vc'.splitlines() | tojson }}{{ 'k=v'.partition('=') | tojson }}{{ "
                    "'abc'.removeprefix('ab') }}"),
            R"(["a", "b", "c"]["k", "=", "v"]c)");
}

TEST(ChatTemplate, WhatRaiseExceptionSaysComesBack) {
  const auto refused = render("{{ raise_exception('roles must alternate') }}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("roles must alternate"));
}

TEST(ChatTemplate, NamesTheLineOfASyntaxError) {
  const auto broken = ChatTemplate::compile("line one\n{% if %}", {});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(broken.error().message(), HasSubstr(":2"));
}

TEST(ChatTemplate, RefusesInputThatIsNotAConversation) {
  EXPECT_FALSE(render("x", nullptr, Json::object()));
  EXPECT_FALSE(render("x", nullptr, Json::array({1})));
  const auto bytes =
      render("{{ messages[0].content }}", nullptr, Json::array({{{"role", "user"}, {"content", "\xFF"}}}));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code(), ErrorCode::kInvalidArgument);
}

TEST(ChatTemplate, StrftimeNowFormatsTheTime) {
  EXPECT_THAT(*render("{{ strftime_now('%Y-%m-%d') }}"),
              testing::MatchesRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}"));
  EXPECT_EQ(*render("{{ strftime_now('') }}"), "");
}

TEST(ChatTemplate, HasNoWayToOtherFiles) {
  EXPECT_FALSE(render("{% include '/etc/passwd' %}"));
  EXPECT_FALSE(render("{% import 'x' as y %}"));
}

// Each of them would run for hours, fill the memory or overflow the stack.
TEST(ChatTemplate, HostileTemplatesEndWithinTheLimits) {
  const std::string loop = "{% for i in range(100000) %}";
  const std::vector<std::string> hostile = {
      loop + loop + loop + "{% endfor %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(s='xxxxxxxx') %}" + loop + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{{ 'x' * 100000000000 }}",
      "{% set ns = namespace(x=[1]) %}" + loop +
          "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
      loop + "{{ 'x' * 10000 }}{% endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{{ '%1000000000d' | format(1) }}",
      "{{ range(1000000000) | list | length }}",
      "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x == [ns] }}",
      "{% set ns = namespace(x=[1]) %}" + loop + "{%- set ns.x = [ns.x] -%} {% endfor %}{{ ns.x ~ '' }}"};
  for (const std::string& source : hostile) {
    const auto rendered = render(source);
    ASSERT_FALSE(rendered) << source;
    EXPECT_THAT(rendered.error().code(),
                testing::AnyOf(ErrorCode::kResourceExhausted, ErrorCode::kInvalidArgument))
        << source;
  }
  EXPECT_FALSE(ChatTemplate::compile("{{ " + std::string(60'000, '('), {}));
  // Allowed, but not at the cost of the stack.
  EXPECT_EQ(*render("{{ " + std::string(60'000, '-') + "1 }}"), "1");
  EXPECT_FALSE(ChatTemplate::compile(std::string((64 << 10) + 1, 'x'), {}));
}

TEST(ChatTemplate, ServesSeveralThreadsAtOnce) {
  const auto compiled =
      ChatTemplate::compile("{% for m in messages %}{{ m.content }}{% endfor %}{{ n }}", {});
  ASSERT_TRUE(compiled);
  std::array<int, 4> wrong{};
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 100; ++round) {
        if (compiled->render(kHi, nullptr, true, {{"n", round}}).value_or("") != "hi" + std::to_string(round))
          ++wrong[thread];
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

}  // namespace
}  // namespace tessera::text
