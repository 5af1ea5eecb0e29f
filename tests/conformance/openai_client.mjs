// What the official JavaScript client of the OpenAI API needs: answers, streams, log-probabilities, errors.
// Usage: node openai_client.mjs BASE_URL, with the model served as "tiny". Run by tests/conformance/run.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const messages = [{ role: "user", content: "What is a tessera?" }];
const chat = (options) =>
  client.chat.completions.create({ model: "tiny", messages, temperature: 0, max_tokens: 12, ignore_eos: true, ...options });

test("models", async () => {
  const models = await client.models.list();
  assert.deepEqual(models.data.map((model) => model.id), ["tiny"]);
  assert.equal((await client.models.retrieve("tiny")).object, "model");
});

test("chat, whole and streamed", async () => {
  const whole = await chat();
  assert.equal(whole.choices[0].finish_reason, "length");
  assert.equal(whole.usage.completion_tokens, 12);
  let text = "";
  let usage;
  for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, 12);
});

test("chat: the client's own helper for streams", async () => {
  const runner = client.chat.completions.stream({ model: "tiny", messages, temperature: 0, max_tokens: 12 });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.role, "assistant");
  assert.equal(await runner.finalContent(), (await chat({ ignore_eos: false })).choices[0].message.content);
});

test("log-probabilities", async () => {
  const { choices } = await chat({ logprobs: true, top_logprobs: 3 });
  const { content } = choices[0].logprobs;
  assert.equal(content.length, 12);
  for (const token of content) {
    assert.equal(token.top_logprobs.length, 3);
    assert.ok(token.logprob <= 0);
    assert.equal(token.top_logprobs[0].logprob, token.logprob, "greedy takes the likeliest");
  }
});

test("several answers", async () => {
  const { choices } = await chat({ n: 3, temperature: 1, seed: 5 });
  assert.deepEqual(choices.map((choice) => choice.index), [0, 1, 2]);
});

test("completions", async () => {
  const answer = await client.completions.create({ model: "tiny", prompt: ["a", "b"], max_tokens: 4, echo: true, logprobs: 1 });
  assert.ok(answer.choices[0].text.startsWith("a"));
  assert.equal(answer.choices[0].logprobs.token_logprobs[0], null);
  const stream = await client.completions.create({ model: "tiny", prompt: "a", max_tokens: 4, stream: true });
  let chunks = 0;
  for await (const chunk of stream) chunks += chunk.choices.length;
  assert.ok(chunks > 0);
});

test("embeddings", async () => {
  const embed = async (input, options) => (await client.embeddings.create({ model: "tiny", input, ...options })).data.map((one) => one.embedding);
  const both = await embed(["a", "b"]); // base64, which the client asks for and decodes
  assert.equal(both.length, 2);
  assert.ok(Math.abs(both[0].reduce((sum, number) => sum + number * number, 0) - 1) < 1e-5);
  assert.deepEqual(await embed("b", { encoding_format: "float" }), [both[1]]);
  assert.equal((await embed("b", { dimensions: 8 }))[0].length, 8);
  assert.notDeepEqual(await embed("ab", { pooling: "mean" }), await embed("ab"));
  await assert.rejects(embed("b", { dimensions: 100_000 }), OpenAI.BadRequestError);
});

test("errors are the client's own", async () => {
  for (const options of [{ model: "gpt-4" }, { messages: [] }, { temperature: -1 }, { response_format: { type: "json_object" } }]) {
    await assert.rejects(chat(options), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
      assert.equal(error.status, 400);
      assert.ok(error.requestID);
      return true;
    });
  }
  await assert.rejects(client.models.retrieve("other"), OpenAI.NotFoundError);
});

test("an aborted stream frees its place", async () => {
  const stream = await chat({ stream: true, max_tokens: 150 });
  for await (const chunk of stream) {
    assert.ok(chunk);
    stream.controller.abort();
    break;
  }
  for (let round = 0; ; ++round) {
    const [load] = await (await fetch(`${process.argv[2]}/get_load`)).json();
    if (load.num_reqs === 0) break;
    assert.ok(round < 500, "the request still runs");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
