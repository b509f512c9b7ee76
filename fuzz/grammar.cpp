// Schemas, regular expressions, choices, EBNF: any text becomes a grammar or is refused with a
// reason, in time, and what the grammar lets through is UTF-8 and comes to an end. The first byte
// of the input says which kind it is.
#include <array>
#include <string>

#include "base/utf8.h"
#include "grammar/automaton.h"
#include "grammar/positions.h"
#include "grammar/source.h"
#include "guarded_input.h"

namespace {

using namespace tulou::grammar;

constexpr size_t kLongestToken = 16;

void walk(const Automaton& automaton, std::string_view choices) {
  Positions positions(automaton, kLongestToken);
  Positions::Id at = positions.start();
  std::string text;
  for (const char choice : choices) {
    // The next byte that is let through, counted from the choice on.
    int tries = 0;
    uint8_t byte = static_cast<uint8_t>(choice);
    while (tries < 256 && positions.next(at, byte) == Positions::kDead) ++byte, ++tries;
    if (tries == 256) {
      if (!positions.can_end(at)) __builtin_trap();  // a dead end
      break;
    }
    const Positions::Id same = positions.same_tokens(at);
    if (positions.next(same, byte) == Positions::kDead) __builtin_trap();
    at = positions.next(at, byte);
    text += static_cast<char>(byte);
    if (positions.can_end(at) && tulou::base::find_invalid_utf8(text)) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMaxInput = 4096;
  if (size == 0 || size > kMaxInput) return 0;
  constexpr std::array<GrammarKind, 4> kKinds = {GrammarKind::kJsonSchema, GrammarKind::kRegex,
                                                 GrammarKind::kChoice, GrammarKind::kEbnf};
  const tulou::fuzz::Input input(data + 1, size - 1);
  const std::string text(input.text());
  tulou::fuzz::expect_only_errors([&] {
    Rules rules;
    const Rules::Rule root = add_source(rules, {kKinds[data[0] % kKinds.size()], text});
    (void)rules.ebnf(root);
    const Automaton automaton = build_automaton(rules, root);
    walk(automaton, text);
  });
  return 0;
}
