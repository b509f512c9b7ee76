"""LangChain against a running server. usage: langchain_client.py BASE_URL MODEL TOOL_MODEL"""

import sys

from langchain_openai import ChatOpenAI, OpenAIEmbeddings

base, model, tool_model = sys.argv[1:]
common = {"base_url": base, "api_key": "none", "temperature": 0, "max_retries": 0}
chat = ChatOpenAI(model=model, max_tokens=12, **common)
question = "What is the capital of France? One word."
schema = {"title": "get_weather", "description": "The weather of a city", "type": "object",
          "required": ["city"], "additionalProperties": False,
          "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}}

text = chat.invoke(question).content
assert text
print("chat: ok")
assert "".join(chunk.content for chunk in chat.stream(question)) == text
print("stream: ok")
tools = ChatOpenAI(model=tool_model, max_tokens=400, extra_body={"logit_bias": {"259": -100}},
                   **common).bind_tools([schema], tool_choice="required")
call = tools.invoke(question).tool_calls[0]
assert call["name"] == "get_weather" and call["args"]["city"] in ("Paris", "Rome"), call
print("tools: ok")
longer = ChatOpenAI(model=model, max_tokens=60, **common)
answer = longer.with_structured_output(schema, method="json_schema").invoke(question)
assert answer["city"] in ("Paris", "Rome"), answer
print("schema: ok")
# By default this client sends arrays of tokens of another vocabulary; this is its switch.
vectors = OpenAIEmbeddings(model=model, base_url=base, api_key="none",
                           check_embedding_ctx_length=False).embed_documents(["river", "town"])
assert len(vectors) == 2 and abs(sum(v * v for v in vectors[0]) - 1) < 1e-4
print("embeddings: ok")
