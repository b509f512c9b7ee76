// Tests of token_stream.h: what needs no engine.
#include "engine/token_stream.h"

#include <gtest/gtest.h>

namespace tulou::engine {
namespace {

TEST(TokenStream, CancellingCountsOnceAndKeepsWhatCame) {
  int told = 0;
  TokenStream stream(7, [&] { ++told; });
  EXPECT_EQ(stream.usage().prompt_tokens, 7);
  EXPECT_FALSE(stream.cancelled());
  stream.cancel();
  stream.cancel();
  EXPECT_TRUE(stream.cancelled());
  EXPECT_FALSE(stream.finished());  // that is the engine's to say
  EXPECT_EQ(stream.finish_reason(), FinishReason::kNone);
  EXPECT_EQ(told, 0);
  EXPECT_FALSE(stream.next().has_value());
  EXPECT_TRUE(stream.take_values().empty());
  EXPECT_TRUE(stream.take_prompt_logprobs().empty());
}

}  // namespace
}  // namespace tulou::engine
