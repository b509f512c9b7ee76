// The official openai package of Node against a running server. Its folder of packages is the
// working directory. usage: node openai.mjs BASE_URL MODEL TOOL_MODEL
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert";

const require = createRequire(process.cwd() + "/");
const OpenAI = (await import(pathToFileURL(require.resolve("openai")))).default.OpenAI;
const [baseURL, model, toolModel] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France? One word." }];
const common = { model, messages, temperature: 0, max_tokens: 12 };
const parameters = {
  type: "object", required: ["city"], additionalProperties: false,
  properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
};

async function chat() {
  const answer = await client.chat.completions.create(common);
  assert(answer.choices[0].message.content && answer.usage.completion_tokens > 0);
  return answer.choices[0].message.content;
}

async function stream(whole) {
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...common, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.strictEqual(text, whole);
}

async function tools() {
  const answer = await client.chat.completions.create({
    ...common, model: toolModel, max_tokens: 400, tool_choice: "required",
    parallel_tool_calls: false, logit_bias: { 259: -100 },  // <think> of the small model
    tools: [{ type: "function", function: { name: "get_weather", parameters } }],
  });
  const call = answer.choices[0].message.tool_calls[0].function;
  assert.strictEqual(call.name, "get_weather");
  assert(["Paris", "Rome"].includes(JSON.parse(call.arguments).city));
}

async function schema() {
  const answer = await client.chat.completions.create({
    ...common, max_tokens: 60,
    response_format: { type: "json_schema",
                       json_schema: { name: "city", strict: true, schema: parameters } },
  });
  assert(["Paris", "Rome"].includes(JSON.parse(answer.choices[0].message.content).city));
}

async function embeddings() {
  const input = ["river", "town"];
  const one = await client.embeddings.create({ model, input, encoding_format: "float" });
  const two = await client.embeddings.create({ model, input });
  assert.deepStrictEqual(Array.from(two.data[1].embedding, Math.fround),
                         one.data[1].embedding.map(Math.fround));
}

async function errors() {
  await assert.rejects(client.chat.completions.create({ ...common, model: model + "x" }),
                       (error) => error.status === 404 && error.code === "model_not_found");
}

const whole = await chat();
console.log("chat: ok");
for (const [name, test] of Object.entries({ stream, tools, schema, embeddings, errors })) {
  await test(whole);
  console.log(name + ": ok");
}
