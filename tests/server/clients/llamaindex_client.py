"""LlamaIndex against a running server. usage: llamaindex_client.py BASE_URL MODEL TOOL_MODEL"""

import sys

from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

base, model, _ = sys.argv[1:]
llm = OpenAILike(model=model, api_base=base, api_key="none", is_chat_model=True, temperature=0,
                 max_tokens=12, max_retries=0)
question = "What is the capital of France? One word."

text = llm.complete(question).text
assert text
print("chat: ok")
assert "".join(chunk.delta for chunk in llm.stream_complete(question)) == text
print("stream: ok")
vectors = OpenAILikeEmbedding(model_name=model, api_base=base,
                              api_key="none").get_text_embedding_batch(["river", "town"])
assert len(vectors) == 2 and abs(sum(v * v for v in vectors[0]) - 1) < 1e-4
print("embeddings: ok")
