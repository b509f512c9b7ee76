// The AI SDK of Vercel against a running server. usage: node ai_sdk.mjs BASE_URL MODEL TOOL_MODEL
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert";

const require = createRequire(process.cwd() + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const { embedMany, generateObject, generateText, jsonSchema, streamText, tool } = await load("ai");
const [baseURL, name, toolName] = process.argv.slice(2);
const provider = createOpenAICompatible(
  { name: "tulou", baseURL, apiKey: "none", supportsStructuredOutputs: true });
const prompt = "What is the capital of France? One word.";
const common = { model: provider(name), prompt, temperature: 0, maxOutputTokens: 12, maxRetries: 0 };
const cities = jsonSchema({
  type: "object", required: ["city"], additionalProperties: false,
  properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
});

const { text } = await generateText(common);
assert(text);
console.log("chat: ok");
let streamed = "";
for await (const piece of streamText(common).textStream) streamed += piece;
assert.strictEqual(streamed.trim(), text.trim());
console.log("stream: ok");
const { toolCalls } = await generateText({
  ...common, model: provider(toolName), maxOutputTokens: 400, toolChoice: "required",
  tools: { get_weather: tool({ description: "The weather", inputSchema: cities }) },
});
assert(["Paris", "Rome"].includes(toolCalls[0].input.city));
console.log("tools: ok");
const { object } = await generateObject({ ...common, maxOutputTokens: 60, schema: cities });
assert(["Paris", "Rome"].includes(object.city));
console.log("schema: ok");
const embed = provider.embeddingModel ?? provider.textEmbeddingModel;
const { embeddings } = await embedMany({ model: embed.call(provider, name), values: ["a", "b"] });
assert(embeddings.length === 2 && embeddings[0].length > 0);
console.log("embeddings: ok");
