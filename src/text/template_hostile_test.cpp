// Templates that mean harm end by their budget: soon, in little memory, with an error.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "base/error.h"
#include "base/json_value.h"
#include "text/template.h"

namespace tulou::text {
namespace {

using base::Json;

struct Ending {
  std::string id;
  double milliseconds;
};

Ending end_of(const std::string& source) {
  const auto begin = std::chrono::steady_clock::now();
  Ending ending{"none", 0};
  try {
    const Json context = {
        {"messages", Json::array({{{"role", "user"}, {"content", std::string(1000, 'a')}}})}};
    ChatTemplate::parse(source, "hostile").render(context);
  } catch (const base::Error& error) {
    ending.id = error.id();
  }
  ending.milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return ending;
}

// Checks that the template ends with one of the errors of a bound, in time. The figure for release
// builds is 50 ms; the bound here leaves room for debug builds and busy machines.
void expect_bounded(const std::string& source) {
  const Ending ending = end_of(source);
  EXPECT_TRUE(ending.id == "template.budget" || ending.id == "template.too_large")
      << ending.id << ": " << source.substr(0, 120);
  EXPECT_LT(ending.milliseconds, 2000) << source.substr(0, 120);
}

std::string many(const std::string& part, size_t count) {
  std::string out;
  out.reserve(part.size() * count);
  for (size_t i = 0; i < count; ++i) out += part;
  return out;
}

TEST(HostileTemplate, NestingOfEveryKindIsBounded) {
  constexpr size_t kDeep = 100'000;
  for (const char* open :
       {"(", "[", "{1:", "-", "+", "not ", "f(", "a[", "a|f(", "x is f(", "1 if ", "1 if 1 else ",
        "a(b=", "a(*", "(1,", "{'a':[", "a[b:c(", "-("}) {
    const Ending ending = end_of("{{ " + many(open, kDeep));
    EXPECT_EQ(ending.id, "template.too_large") << open;
    EXPECT_LT(ending.milliseconds, 2000) << open;
  }
  for (const char* open :
       {"{% if 1 %}", "{% for i in [1] %}", "{% macro m() %}", "{% call m() %}", "{% set x %}",
        "{% filter upper %}", "{% with %}", "{% generation %}", "{% if 1 %}{% else %}"}) {
    const Ending ending = end_of(many(open, 50'000));
    EXPECT_EQ(ending.id, "template.too_large") << open;
    EXPECT_LT(ending.milliseconds, 2000) << open;
  }
}

TEST(HostileTemplate, BracketsInMillionsAreBounded) {
  for (const char* open : {"(", "[", "{", "-", "{{", "{%", "{#"})
    EXPECT_NE(end_of("{{ " + many(open, 1'000'000 / std::string(open).size())).id, "none") << open;
  EXPECT_EQ(end_of(many("{{", 1'000'000)).id, "template.too_large");
}

TEST(HostileTemplate, LongChainsAreBounded) {
  for (const char* part : {"+1", "~1", "*1", "**1", ".a", "[1]", "|e", "()", " and 1", " or 1",
                           " is odd", " if 1", "<1", " in a", ",1", " not in a"}) {
    const Ending ending = end_of("{{ 1" + many(part, 100'000) + " }}");
    EXPECT_NE(ending.id, "none") << part;
    EXPECT_LT(ending.milliseconds, 2000) << part;
  }
  expect_bounded(many("{% set a = 1 %}", 60'000));
  expect_bounded(many("{{ 1 }}", 140'000));
  expect_bounded("{% if a %}" + many("{% elif a %}", 80'000) + "{% endif %}");
}

TEST(HostileTemplate, ManyNamesAreBounded) {
  std::string names, branches;
  for (int i = 0; i < 20'000; ++i) names += "{% set v" + std::to_string(i) + " = 1 %}";
  for (int i = 0; i < 8'000; ++i)
    branches += "{% if x %}{% set v" + std::to_string(i) + " = 1 %}{% endif %}";
  expect_bounded(names);
  expect_bounded(branches);
}

TEST(HostileTemplate, LoopsAndRecursionAreBounded) {
  expect_bounded(
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}");
  expect_bounded("{% for a in range(1000000000) %}{% endfor %}");
  expect_bounded("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
  expect_bounded("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}");
  expect_bounded(
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}"
      "{{ a() }}");
  expect_bounded("{% macro m() %}{{ caller }}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}");
  expect_bounded(
      "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
      "{{ m(60) }}");
  expect_bounded("{% macro m(x=m()) %}{% endmacro %}{{ m() }}");
}

TEST(HostileTemplate, GrowingTextIsBounded) {
  const auto grow = [](const std::string& step, const std::string& start = "'ab'") {
    return "{% set n = namespace(x=" + start +
           ") %}{% for i in range(100000) %}{% set n.x = " + step +
           " %}{% endfor %}{{ n.x|length }}";
  };
  for (const char* step : {"n.x + n.x",
                           "n.x ~ n.x",
                           "n.x * 2",
                           "n.x * 1000000",
                           "n.x.replace('a', n.x)",
                           "n.x.replace('', n.x)",
                           "n.x|replace('b', n.x)",
                           "n.x.join(n.x)",
                           "[n.x, n.x]|join",
                           "n.x|indent(100000, true)",
                           "n.x.center(10000000)",
                           "n.x.ljust(99999999)",
                           "n.x|center(9999999)",
                           "n.x.zfill(99999999)",
                           "n.x|tojson|string",
                           "[n.x]|tojson",
                           "'%s%s' % (n.x, n.x)",
                           "'{0}{0}'.format(n.x)",
                           "'%1000000s' % n.x",
                           "'{:>1000000}'.format(n.x)",
                           "n.x|string ~ n.x",
                           "n.x|e|string ~ n.x",
                           "(n.x ~ n.x)|upper",
                           "(n.x ~ n.x)[::-1]",
                           "(n.x ~ n.x)|list|join",
                           "(n.x ~ n.x).split('a')|join('aa')",
                           "(n.x ~ n.x)|title",
                           "(n.x ~ n.x).splitlines()|first",

                           "(n.x ~ n.x)|reverse|string",
                           "([n.x] * 3)|string"})
    expect_bounded(grow(step));
}

TEST(HostileTemplate, GrowingContainersAreBounded) {
  const auto grow = [](const std::string& step, const std::string& start) {
    return "{% set n = namespace(x=" + start +
           ") %}{% for i in range(100000) %}{% set n.x = " + step +
           " %}{% endfor %}{{ n.x|length }}";
  };
  for (const char* step : {"n.x + n.x", "n.x * 2", "n.x * 100000000", "[n.x]", "[n.x, n.x]",
                           "(n.x, n.x)", "n.x|list + n.x", "n.x|batch(1)|list", "n.x[:] + n.x",
                           "(n.x + n.x)|sort", "(n.x + n.x)|reverse|list", "{'a': n.x}",
                           "(n.x + n.x)|map('string')|list", "dict(a=n.x)", "[namespace(x=n.x)]"})
    expect_bounded(grow(step, "[1]"));
  expect_bounded(
      "{{ range(100000)|batch(1, 2)|map('list')|map('list')|list|string|length }}"
      "{% for i in range(100000) %}{{ range(100000)|list|length }}{% endfor %}");
  expect_bounded("{{ [1]|batch(100000000, 2)|list }}");
  expect_bounded("{{ 'a'|slice(100000000)|list }}");
  expect_bounded("{% set x = 'ab' * 3000000 %}{{ x|list|length }}");
  expect_bounded("{% set x = 'a ' * 3000000 %}{{ x.split()|length }}");
  expect_bounded("{% set x = '\\n' * 3000000 %}{{ x.splitlines()|length }}");
}

// The result of each small template explodes when it is printed, not before.
TEST(HostileTemplate, SharedContainersAreBounded) {
  std::string source = "{% set x = ['0123456789'] %}";
  for (int i = 0; i < 40; ++i) source += "{% set x = [x, x] %}";
  for (const char* use :
       {"{{ x }}", "{{ x|tojson }}", "{{ x|string }}", "{{ x|tojson(indent=8) }}", "{{ x|join }}"})
    EXPECT_NE(end_of(source + use).id, "none") << use;
  expect_bounded(source + "{% set y = ['1'] %}" + "{{ x|string }}");
}

TEST(HostileTemplate, SearchesAreBounded) {
  const std::string texts = "{% set a = 'a' * 2000000 %}{% set b = 'a' * 1000000 ~ 'b' %}";
  for (const char* use : {"b in a", "a.find(b)", "a.rfind(b)", "a.replace(b, '')", "a.split(b)",
                          "a.rsplit(b)", "a.count(b)", "a.partition(b)", "a.rpartition(b)",
                          "a.strip(b)", "a|trim(b)", "a.startswith(b)"}) {
    const Ending ending =
        end_of(texts + "{% for i in range(100000) %}{% set x = " + use + " %}{% endfor %}");
    EXPECT_EQ(ending.id, "template.budget") << use;
    EXPECT_LT(ending.milliseconds, 2000) << use;
  }
}

TEST(HostileTemplate, OutputIsBounded) {
  expect_bounded("{% for i in range(100000) %}{{ 'a' * 100000 }}{% endfor %}");
  RenderOptions options;
  options.budget.max_output_bytes = 10;
  const auto parsed = ChatTemplate::parse("{{ x }}", "t");
  EXPECT_EQ(parsed.render_text({{"x", "0123456789"}}, options), "0123456789");
  EXPECT_THROW(parsed.render_text({{"x", "0123456789a"}}, options), base::Error);
}

TEST(HostileTemplate, CyclesAreFreed) {
  // Run under a leak checker, this shows that nothing survives.
  EXPECT_EQ(end_of("{% set a = namespace() %}{% set a.b = a %}{% set a.c = [a] %}"
                   "{% macro m() %}{{ a.b.b.b is defined }}{% endmacro %}{% set a.m = m %}{{ m() }}"
                   "{% for i in [1] %}{{ loop.changed(loop) }}{% set a.l = loop %}{% endfor %}")
                .id,
            "none");
  EXPECT_NE(end_of("{% set a = namespace() %}{% set a.b = a %}{{ a }}").id, "none");
}

}  // namespace
}  // namespace tulou::text
