// Tests of chat templates by themselves; tests/templates compares them with Jinja2.
#include "text/template.h"
#include "base/json_value.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/error.h"

namespace tulou::text {
namespace {

using base::Json;

std::string render(const std::string& source, const Json& context = Json::object()) {
  return ChatTemplate::parse(source, "test").render_text(context);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return error.what();
  }
  return "none";
}

std::string id_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "none";
}

Json one_message(const std::string& content) {
  return {{"messages", Json::array({{{"role", "user"}, {"content", content}}})}};
}

TEST(Template, RendersTextExpressionsAndStatements) {
  EXPECT_EQ(render("a{{ 1 + 2 }}b"), "a3b");
  EXPECT_EQ(render("{% for i in range(3) %}{{ loop.index }}{{ '' if loop.last else ',' }}"
                   "{% endfor %}"),
            "1,2,3");
  EXPECT_EQ(render("{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}"
                   "{% endfor %}{{ ns.n }}"),
            "3");
  EXPECT_EQ(render("{% macro m(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(2, b=3) }}"),
            "1x23");
}

TEST(Template, FollowsJinjasRulesOfWhitespace) {
  EXPECT_EQ(render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(render("a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc\n"), "abc");
  EXPECT_EQ(render("a\n  {%+ if true +%}\n  b{% endif %}"), "a\n  \n  b");
  EXPECT_EQ(render("a\r\nb\rc\r\n"), "a\nb\nc");
  EXPECT_EQ(render("{% raw %}{{ x }}{% endraw %}{# gone #}!"), "{{ x }}!");
}

TEST(Template, PrintsAsPython) {
  EXPECT_EQ(render("{{ [true, none, 1.0, 1e16, 'it\\'s', {'a': (1,)}] }}"),
            "[True, None, 1.0, 1e+16, \"it's\", {'a': (1,)}]");
  EXPECT_EQ(render("{{ {'a': [1, none, true, '\xc3\xa9']}|tojson }}"),
            "{\"a\": [1, null, true, \"\xc3\xa9\"]}");
  EXPECT_EQ(render("{{ 7 // -2 }} {{ 7 % -2 }} {{ 7 / 2 }} {{ 2 ** -1 }}"), "-4 -1 3.5 0.5");
}

TEST(Template, SeesMessagesAndTheirOrder) {
  const Json context = {{"messages", Json::array({{{"role", "user"}, {"b", 1}, {"a", 2}}})}};
  EXPECT_EQ(render("{{ messages[0] | tojson }}", context), R"({"role": "user", "b": 1, "a": 2})");
  EXPECT_EQ(render("{{ tools }} {{ documents }} {{ add_generation_prompt }} {{ messages }}"),
            "None None False []");
}

TEST(Template, NamesPlaceAndConstructInErrors) {
  EXPECT_EQ(error_of([] { render("ab\n  {{ x | }}"); }),
            "test:2:10: the chat template is wrong: expected a name, found the end of the "
            "expression");
  EXPECT_EQ(error_of([] { render("\n{{ x.y.z }}"); }),
            "test:2:5: the chat template failed: 'x' is undefined");
  EXPECT_EQ(id_of([] { render("{{ 'a'|urlize }}"); }), "template.unsupported");
  EXPECT_EQ(id_of([] { render("{% include 'x' %}"); }), "template.unsupported");
  EXPECT_EQ(id_of([] { render("{{ 'a'|nothing }}"); }), "template.syntax");
  EXPECT_EQ(id_of([] { render("{{ raise_exception('no') }}"); }), "template.raised");
}

TEST(Template, ReachesNothingButData) {
  for (const char* payload :
       {"{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ messages.__class__.__base__.__subclasses__()[0] }}",
        "{{ ''|attr('__class__')|attr('__mro__')|first }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
        "{{ namespace.__init__.__globals__ }}", "{{ range.__self__.__dict__['eval']('1') }}",
        "{{ joiner.__init__.__globals__.os }}", "{{ ().__class__.__bases__[0] }}",
        "{% set x = messages.append %}{{ x(1) }}", "{{ {}.update({'a': 1}) }}"})
    EXPECT_NE(id_of([&] { render(payload); }), "none") << payload;
  EXPECT_EQ(render("{{ ''.__class__ }}{{ messages.append }}"), "");
}

// Provenance.

std::string shown(const std::vector<Segment>& segments) {
  std::string out;
  for (const Segment& segment : segments)
    out += (segment.from_data ? "<" : "(") + segment.text + (segment.from_data ? ">" : ")");
  return out;
}

TEST(Template, MarksTextOfMessagesAsData) {
  const auto parsed = [](const char* source, const Json& context) {
    return shown(ChatTemplate::parse(source, "test").render(context));
  };
  EXPECT_EQ(parsed("[{{ messages[0].content }}]", one_message("x")), "([)<x>(])");
  EXPECT_EQ(
      parsed("{{ '[' + messages[0].role + ':' + messages[0].content + ']' }}", one_message("x")),
      "([)<user>(:)<x>(])");
  EXPECT_EQ(parsed("{{ ('[' ~ messages[0].content ~ ']')|upper }}", one_message("x")), "([)<X>(])");
  EXPECT_EQ(parsed("{{ ('[' ~ messages[0].content ~ ']')[::-1] }}", one_message("xy")),
            "(])<yx>([)");
  EXPECT_EQ(parsed("{{ 'a-b'.replace('-', messages[0].content) }}", one_message("x")), "(a)<x>(b)");
  EXPECT_EQ(parsed("{{ messages[0].content.split(',')|join('|') }}", one_message("x,y")),
            "<x>(|)<y>");
  EXPECT_EQ(parsed("{% macro m(t) %}({{ t }}){% endmacro %}{{ m(messages[0].content)|trim }}",
                   one_message("x")),
            "(()<x>())");
  EXPECT_EQ(parsed("{{ {'a': messages[0].content}|tojson }}", one_message("x")),
            "({\"a\": )<\"x\">(})");
  EXPECT_EQ(parsed("{{ messages|tojson }}", one_message("x")),
            "<[{\"role\": \"user\", \"content\": \"x\"}]>");
  EXPECT_EQ(
      parsed("{{ '%s!' % messages[0].content }}{{ '{}'.format(messages[0].n) }}", one_message("x")),
      "<x>(!)");
}

TEST(Template, TrustsTheTokensOfTheTokenizer) {
  Json context = one_message("<s>");
  context["bos_token"] = "<s>";
  context["other"] = "<s>";
  EXPECT_EQ(shown(ChatTemplate::parse("{{ bos_token }}{{ messages[0].content }}{{ other }}", "t")
                      .render(context)),
            "(<s>)<<s><s>>");
}

// Data is followed through chains of random operations: a marker byte of it is never trusted.
TEST(Template, NeverLosesProvenance) {
  constexpr const char* kSteps[] = {"|trim",
                                    "|upper",
                                    "|lower",
                                    "|title",
                                    "|capitalize",
                                    "[::-1]",
                                    "[1:]",
                                    "[:-1]",
                                    "|string",
                                    "|replace('a', '<')",
                                    "|replace('', '.')",
                                    "|list|join('-')",
                                    "|tojson",
                                    ".strip('x')",
                                    ".split('a')|join('+')",
                                    ".splitlines()|join",
                                    "|indent(2)",
                                    "|center(9)",
                                    "|e|string",
                                    "|reverse",
                                    "|truncate(8)",
                                    ".partition('-')|join",
                                    ".ljust(6, '~')",
                                    "|sort|join",
                                    "|batch(2)|map('join')|join",
                                    "|unique|join",
                                    "|format|default('q')",
                                    ".zfill(4)",
                                    "|map('upper')|join",
                                    "|select|list|string",
                                    "|groupby(0)|string"};
  std::mt19937 random(1);
  int rendered = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string expression = "('<' ~ messages[0].content ~ '>')";
    for (int i = 0; i < 4; ++i)
      expression.insert(0, "(").append(kSteps[random() % std::size(kSteps)]).append(")");
    const std::string source = "{% set x = " + expression + " %}a{{ x }}b{{ x ~ 'c' ~ x }}";
    try {
      for (const Segment& segment :
           ChatTemplate::parse(source, "t")
               .render(one_message("a\xee\x80\x80x \xee\x80\x81-\n\xee\x80\x82"))) {
        if (!segment.from_data) {
          EXPECT_EQ(segment.text.find('\xee'), std::string::npos) << source;
        }
      }
      ++rendered;
    } catch (const base::Error& error) {
      EXPECT_TRUE(error.id() == "template.failed" || error.id() == "template.unsupported")
          << error.what();
    }
  }
  EXPECT_GT(rendered, 2000);
}

TEST(Template, MergesNeighboursAndHasNoEmptySegments) {
  const auto segments =
      ChatTemplate::parse("{% for c in messages[0].content %}{{ c }}{{ '' }}{% endfor %}", "t")
          .render(one_message("abc"));
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0], (Segment{"abc", true}));
  EXPECT_TRUE(ChatTemplate::parse("", "t").render(Json::object()).empty());
}

TEST(Template, IsTheSameForEveryRendering) {
  const auto parsed = ChatTemplate::parse(
      "{% set x = namespace(n=0) %}{% set x.n = x.n + 1 %}{{ x.n }}{{ messages[0].content }}", "t");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(parsed.render_text(one_message("y")), "1y");
}

TEST(Template, TellsTheTimeItIsGiven) {
  RenderOptions options;
  options.now = 86400 * 365;
  const auto parsed = ChatTemplate::parse("{{ strftime_now('%Y') }}", "t");
  EXPECT_EQ(parsed.render_text(Json::object(), options), "1971");
  EXPECT_EQ(render("{{ strftime_now('%Y')|length }}"), "4");
}

TEST(Template, NormalizesArgumentsOfToolCalls) {
  Json messages = Json::array(
      {{{"role", "assistant"},
        {"tool_calls", Json::array({{{"function", {{"name", "f"}, {"arguments", "{\"a\": 1}"}}}},
                                    {{"name", "g"}, {"arguments", "[1]"}},
                                    {{"name", "h"}, {"arguments", "no JSON"}}})}}});
  normalize_messages(messages);
  const Json& calls = messages[0]["tool_calls"];
  EXPECT_EQ(calls[0]["function"]["arguments"], (Json{{"a", 1}}));
  EXPECT_EQ(calls[1]["arguments"], "[1]");
  EXPECT_EQ(calls[2]["arguments"], "no JSON");
  Json other = "text";
  normalize_messages(other);
  EXPECT_EQ(other, "text");
}

}  // namespace
}  // namespace tulou::text
