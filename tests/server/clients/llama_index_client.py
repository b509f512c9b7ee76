"""LlamaIndex against a running server. usage: llama_index_client.py BASE_URL MODEL TOOL_MODEL"""

import sys
from typing import Literal

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

base, model, tool_model = sys.argv[1:]
common = {"api_base": base, "api_key": "none", "is_chat_model": True, "temperature": 0,
          "max_retries": 0, "context_window": 2048}
question = [ChatMessage(role="user", content="What is the capital of France? One word.")]


class Place(BaseModel):
    """A place."""
    city: Literal["Paris", "Rome"]


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """The weather of a city"""
    return city


llm = OpenAILike(model=model, max_tokens=12, **common)
text = llm.chat(question).message.content
assert text
print("chat: ok")
assert "".join(part.delta or "" for part in llm.stream_chat(question)) == text
print("stream: ok")
tools = OpenAILike(model=tool_model, max_tokens=400, is_function_calling_model=True,
                   additional_kwargs={"logit_bias": {"259": -100}}, **common)
answer = tools.chat_with_tools([FunctionTool.from_defaults(get_weather)], chat_history=question,
                               tool_choice="required")
call = tools.get_tool_calls_from_response(answer)[0]
assert call.tool_name == "get_weather" and call.tool_kwargs["city"] in ("Paris", "Rome"), call
print("tools: ok")
place = OpenAILike(model=model, max_tokens=60, should_use_structured_outputs=True, **common)
assert place.as_structured_llm(Place).chat(question).raw.city in ("Paris", "Rome")
print("schema: ok")
vectors = OpenAILikeEmbedding(model_name=model, api_base=base, api_key="none", max_retries=0
                              ).get_text_embedding_batch(["river", "town"])
assert len(vectors) == 2 and abs(sum(v * v for v in vectors[0]) - 1) < 1e-4
print("embeddings: ok")
