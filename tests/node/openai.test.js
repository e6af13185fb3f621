// What the official client for Node relies on, asked with the client as it is.
// SERVER is the address with /v1, KEY a key, SINGLE a key that may have one request at once, GO the file that lets held
// answers go on.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";

import OpenAI from "openai";

const { SERVER, KEY, SINGLE, GO } = process.env;
const client = new OpenAI({ baseURL: SERVER, apiKey: KEY, maxRetries: 0, timeout: 60_000 });
const TEXT = "Where is my tent? Wo ist mein Zelt, größer als 3 m²? 😀";
const question = (content) => [{ role: "user", content }];

test("models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names, ["echo", "echo@e012", "letters", "letters@l012"]);
  assert.equal((await client.models.retrieve("echo@e012")).owned_by, "tunesmith");
});

test("an answer has its text, its version, its usage and its request id", async () => {
  const answer = await client.chat.completions.create({ model: "echo", messages: question(TEXT) });
  assert.equal(answer.choices[0].message.content, TEXT);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.model, "echo@e012");
  const size = Buffer.byteLength(TEXT);
  assert.deepEqual(answer.usage, { prompt_tokens: size, completion_tokens: size, total_tokens: 2 * size });
  assert.match(answer._request_id, /^req-/);
});

test("a stream adds up to the answer", async () => {
  const stream = await client.chat.completions.create({
    model: "echo",
    messages: question(TEXT),
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, TEXT);
  assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
  assert.equal(chunks.at(-1).usage.completion_tokens, Buffer.byteLength(TEXT));
});

test("the client's own stream helper gathers the answer", async () => {
  const stream = client.chat.completions.stream({ model: "echo", messages: question(TEXT) });
  assert.equal(await stream.finalContent(), TEXT);
});

test("a stream that is aborted ends, and others are answered", async () => {
  for (let round = 0; round < 3; round += 1) { // more often than the model has slots
    const stream = await client.chat.completions.create({
      model: "echo",
      messages: question("hold on, please"),
      stream: true,
    });
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      stream.controller.abort();
      break;
    }
  }
  const answer = await client.chat.completions.create({ model: "echo", messages: question("a") });
  assert.equal(answer.choices[0].message.content, "a");
});

test("errors are of the classes that the client knows", async () => {
  const chat = (more, options) =>
    client.chat.completions.create({ model: "echo", messages: question("a"), ...more }, options);
  const fails = async (promise, kind, status, code) => {
    const error = await promise.then(() => assert.fail("it was answered"), (reason) => reason);
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.status, status);
    assert.equal(error.code, code);
    assert.match(error.requestID, /^req-/);
  };
  await fails(chat({ model: "nobody" }), OpenAI.NotFoundError, 404, "model_not_found");
  await fails(chat({ temperature: 3 }), OpenAI.BadRequestError, 400, "wrong_value");
  await fails(chat({ logit_bias: { 1: 1 } }), OpenAI.BadRequestError, 400, "not_served");
  await fails(chat({ messages: question("fail to answer") }), OpenAI.InternalServerError, 500, "internal_error");
  const stranger = new OpenAI({ baseURL: SERVER, apiKey: "tunesmith-wrong", maxRetries: 0 });
  await fails(stranger.models.retrieve("echo"), OpenAI.AuthenticationError, 401, "invalid_api_key");
});

test("an error midway in a stream is thrown", async () => {
  const stream = await client.chat.completions.create({
    model: "echo",
    messages: question("fail to answer"),
    stream: true,
  });
  let text = "";
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
  }, OpenAI.APIError);
  assert.equal(text, "fail");
});

test("503 with Retry-After is tried again", async () => {
  const patient = client.withOptions({ maxRetries: 2 });
  const began = Date.now();
  const answer = await patient.chat.completions.create({ model: "echo", messages: question("down once") });
  assert.equal(answer.choices[0].message.content, "down once");
  assert.ok(Date.now() - began >= 1000, "the client waited as it was told");
});

test("429 with Retry-After is tried again", async () => {
  const single = new OpenAI({ baseURL: SERVER, apiKey: SINGLE, maxRetries: 0 });
  const held = await single.chat.completions.create({
    model: "echo",
    messages: question("hold on, please"),
    stream: true,
  });
  const refused = await single.models.list().then(() => assert.fail("it was answered"), (reason) => reason);
  assert.ok(refused instanceof OpenAI.RateLimitError);
  assert.equal(refused.code, "too_many_at_once");
  assert.equal(refused.headers.get("retry-after"), "1");
  const retried = single.withOptions({ maxRetries: 10 }).models.list();
  writeFileSync(GO, "");
  let text = "";
  for await (const chunk of held) text += chunk.choices[0].delta.content ?? "";
  assert.equal(text, "hold on, please");
  assert.equal((await retried).data.length, 4);
});

test("vectors come as numbers and as the client asks for them by itself", async () => {
  const own = await client.embeddings.create({ model: "letters", input: ["a", "b"] });
  assert.equal(own.data.length, 2);
  const numbers = await client.embeddings.create({ model: "letters", input: "a", encoding_format: "float" });
  numbers.data[0].embedding.forEach((value, place) => assert.ok(Math.abs(value - own.data[0].embedding[place]) < 1e-6));
});

test("json_schema, logprobs, n, stop and plain completions", async () => {
  const schema = { type: "object", properties: { a: { type: "string" } } };
  const answer = await client.chat.completions.create({
    model: "echo",
    messages: question('{"a": "b"}'),
    response_format: { type: "json_schema", json_schema: { name: "a", schema, strict: true } },
    logprobs: true,
    top_logprobs: 1,
    n: 2,
  });
  assert.deepEqual(JSON.parse(answer.choices[1].message.content), { a: "b" });
  assert.equal(answer.choices[0].logprobs.content.length, 10);
  const stopped = await client.chat.completions.create({ model: "echo", messages: question("one two"), stop: " " });
  assert.equal(stopped.choices[0].message.content, "one");
  const plain = await client.completions.create({ model: "echo", prompt: "a text" });
  assert.equal(plain.choices[0].text, "a text");
});

const WEATHER = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { place: { type: "string" } } } },
};
const CALLING = 'Let me look.\n<tool_call>{"name": "weather", "arguments": {"place": "Köln"}}</tool_call>';

test("a tool is called, and the conversation goes on with what came of it", async () => {
  const messages = question(CALLING);
  const answer = await client.chat.completions.create({ model: "echo", messages, tools: [WEATHER] });
  const [choice] = answer.choices;
  assert.equal(choice.finish_reason, "tool_calls");
  assert.equal(choice.message.content, "Let me look.");
  const [call] = choice.message.tool_calls;
  assert.deepEqual(JSON.parse(call.function.arguments), { place: "Köln" });
  const result = { role: "tool", tool_call_id: call.id, content: "6 °C" };
  const more = [...messages, choice.message, result];
  const next = await client.chat.completions.create({ model: "echo", messages: more, tools: [WEATHER] });
  assert.equal(next.choices[0].message.content, "6 °C");
});

test("the client's own helper gathers a call from a stream, and its runner calls the function", async () => {
  const stream = client.chat.completions.stream({ model: "echo", messages: question(CALLING), tools: [WEATHER] });
  const { choices: [choice] } = await stream.finalChatCompletion();
  assert.equal(choice.message.content, "Let me look.");
  assert.equal(choice.message.tool_calls[0].function.name, "weather");
  const weather = { ...WEATHER.function, parse: JSON.parse, function: ({ place }) => `6 °C in ${place}` };
  const tools = [{ type: "function", function: weather }];
  for (const streamed of [false, true]) {
    const runner = client.chat.completions.runTools({ model: "echo", messages: question(CALLING), tools, stream: streamed });
    assert.equal(await runner.finalContent(), "6 °C in Köln");
  }
});
