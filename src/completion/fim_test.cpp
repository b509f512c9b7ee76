#include "completion/fim.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

TEST(Fim, PromptOfThreeTokens) {
  TinyFolder folder;
  base::Json tokenizer = base::parse_json(tiny_tokenizer_json(), "tokenizer");
  int32_t id = 261;
  for (const char* content : {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"})
    tokenizer["added_tokens"].push_back({{"id", id++}, {"content", content}, {"special", true}});
  folder.write("tokenizer.json", base::to_json_text(tokenizer));
  const TextModel model = TextModel::open(folder.path());
  const Prompt prompt = fim_prompt(model, "a<|im_end|>", "b");
  std::vector<int32_t> expected = {261, 'a'};
  for (const char c : std::string("<|im_end|>")) expected.push_back(c);
  expected.insert(expected.end(), {263, 'b', 262});
  EXPECT_EQ(prompt.ids, expected);
  EXPECT_FALSE(prompt.in_reasoning);
  EXPECT_EQ(fim_prompt(model, "", "").ids, (std::vector<int32_t>{261, 263, 262}));
  EXPECT_EQ(fim_stop_tokens(model), (std::vector<int32_t>{261, 263, 262, 264}));
}

TEST(Fim, VocabularyWithoutTheTokens) {
  TinyFolder folder;
  const TextModel model = TextModel::open(folder.path());
  try {
    fim_prompt(model, "a", "b");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "completion.no_fim");
  }
  EXPECT_TRUE(fim_stop_tokens(model).empty());
}

}  // namespace
}  // namespace tulou::completion
