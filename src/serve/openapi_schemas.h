// JSON Schemas of /openapi.json that no table of fields describes: what is nested in requests, and
// the responses.
#pragma once

namespace tulou::serve {

inline constexpr const char* kResponseSchemas = R"json({
"Message": {"type": "object", "required": ["role"], "properties": {
  "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
  "content": {"anyOf": [{"type": "string"}, {"type": "null"},
    {"type": "array", "maxItems": 4096, "items": {"$ref": "#/components/schemas/Part"}}]},
  "name": {"type": ["string", "null"]},
  "reasoning_content": {"type": ["string", "null"]}, "reasoning": {"type": ["string", "null"]},
  "tool_calls": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/ToolCall"}},
  "tool_call_id": {"type": ["string", "null"]}},
  "description": "Only an assistant's message may be without content."},
"Part": {"type": "object", "required": ["type"], "properties": {
  "type": {"enum": ["text", "refusal"]}, "text": {"type": "string"},
  "refusal": {"type": "string"}}},
"ToolCall": {"type": "object", "required": ["function"], "properties": {
  "id": {"type": "string"}, "type": {"const": "function"},
  "function": {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string"}, "arguments": {"type": ["string", "object"]}}}}},
"Tool": {"type": "object", "required": ["type", "function"], "properties": {
  "type": {"const": "function"},
  "function": {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_.:/-]{1,256}$"},
    "description": {"type": ["string", "null"]},
    "parameters": {"type": ["object", "null"]}, "strict": {"type": ["boolean", "null"]}}}}},
"ToolChoice": {"anyOf": [{"enum": ["none", "auto", "required"]},
  {"type": "object", "required": ["type"], "properties": {
    "type": {"enum": ["function", "allowed_tools"]},
    "function": {"type": "object", "required": ["name"],
      "properties": {"name": {"type": "string"}}},
    "allowed_tools": {"type": "object", "required": ["mode", "tools"], "properties": {
      "mode": {"enum": ["auto", "required"]}, "tools": {"type": "array"}}}}}]},
"Error": {"type": "object", "required": ["error"], "properties": {"error": {
  "type": "object", "required": ["message", "type", "param", "code"], "properties": {
    "message": {"type": "string"}, "type": {"type": "string"},
    "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]}}}}},
"Usage": {"type": "object", "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
  "properties": {
    "prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"},
    "total_tokens": {"type": "integer"},
    "prompt_tokens_details": {"type": "object", "properties": {
      "cached_tokens": {"type": "integer"}, "cache_miss_reason": {"type": "string"}}},
    "completion_tokens_details": {"type": "object", "properties": {
      "reasoning_tokens": {"type": "integer"}}}}},
"ChatCompletion": {"type": "object",
  "required": ["id", "object", "created", "model", "choices", "usage"], "properties": {
    "id": {"type": "string"}, "object": {"const": "chat.completion"},
    "created": {"type": "integer"}, "model": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object",
      "required": ["index", "message", "finish_reason", "logprobs"], "properties": {
        "index": {"type": "integer"}, "message": {"type": "object",
          "required": ["role", "content"], "properties": {
            "role": {"const": "assistant"}, "content": {"type": ["string", "null"]},
            "reasoning_content": {"type": "string"}, "reasoning": {"type": "string"},
            "tool_calls": {"type": "array"}}},
        "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
        "logprobs": {"type": ["object", "null"]}}}},
    "usage": {"$ref": "#/components/schemas/Usage"}}},
"TextCompletion": {"type": "object",
  "required": ["id", "object", "created", "model", "choices", "usage"], "properties": {
    "id": {"type": "string"}, "object": {"const": "text_completion"},
    "created": {"type": "integer"}, "model": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object",
      "required": ["index", "text", "finish_reason", "logprobs"], "properties": {
        "index": {"type": "integer"}, "text": {"type": "string"},
        "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
        "logprobs": {"type": ["object", "null"]}}}},
    "usage": {"$ref": "#/components/schemas/Usage"}}},
"EmbeddingList": {"type": "object", "required": ["object", "data", "model", "usage"],
  "properties": {"object": {"const": "list"}, "model": {"type": "string"},
    "data": {"type": "array", "items": {"type": "object",
      "required": ["object", "index", "embedding"], "properties": {
        "object": {"const": "embedding"}, "index": {"type": "integer"},
        "embedding": {"anyOf": [{"type": "string"},
          {"type": "array", "items": {"type": "number"}}]}}}},
    "usage": {"type": "object"}}},
"RerankList": {"type": "object", "required": ["id", "model", "results", "usage"], "properties": {
  "id": {"type": "string"}, "model": {"type": "string"},
  "results": {"type": "array", "items": {"type": "object",
    "required": ["index", "relevance_score"], "properties": {
      "index": {"type": "integer"}, "relevance_score": {"type": "number"},
      "document": {"type": "object"}}}},
  "usage": {"type": "object"}}},
"ModelList": {"type": "object", "required": ["object", "data"], "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["id", "object", "created", "owned_by"], "properties": {
      "id": {"type": "string"}, "object": {"const": "model"}, "created": {"type": "integer"},
      "owned_by": {"type": "string"}, "max_model_len": {"type": ["integer", "null"]},
      "meta": {"type": "object"}}}}}},
"Tokens": {"type": "object", "required": ["count", "max_model_len", "tokens"], "properties": {
  "count": {"type": "integer"}, "max_model_len": {"type": "integer"},
  "tokens": {"type": "array", "items": {"type": "integer"}},
  "token_strs": {"type": ["array", "null"]}}},
"Text": {"type": "object", "required": ["prompt", "content"], "properties": {
  "prompt": {"type": "string"}, "content": {"type": "string"}}},
"TokenizerInfo": {"type": "object", "properties": {
  "tokenizer_class": {"type": "string"}, "vocab_size": {"type": "integer"},
  "model_max_length": {"type": "integer"}, "eos_token": {"type": ["string", "null"]},
  "chat_template": {"type": ["string", "null"]}}},
"Status": {"type": "object", "required": ["status"],
  "properties": {"status": {"type": "string"}}},
"Version": {"type": "object", "required": ["version"],
  "properties": {"version": {"type": "string"}}},
"Running": {"type": "object", "required": ["version", "uptime_seconds", "models"], "properties": {
  "version": {"type": "string"}, "uptime_seconds": {"type": "number"},
  "models": {"type": "array", "items": {"type": "object", "required": ["names", "state"],
    "properties": {
      "names": {"type": "array", "items": {"type": "string"}}, "state": {"type": "string"},
      "weights_bytes": {"type": "integer"}, "cache_bytes": {"type": "integer"},
      "context": {"type": "integer"}, "running": {"type": "integer"},
      "waiting": {"type": "integer"}, "generated_tokens": {"type": "integer"},
      "prompt_tokens": {"type": "integer"}, "tokens_per_second": {"type": "number"}}}}}},
"Document": {"type": "object", "required": ["openapi", "paths"]}
})json";

}  // namespace tulou::serve
