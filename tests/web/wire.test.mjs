/** From bytes to the state of an answer. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "node:http";

import { makeHistory } from "../../web/js/api/answering.js";
import { askQuestion, toEvent } from "../../web/js/api/chat.js";
import { createConversation } from "../../web/js/api/conversation.js";
import { AnswerError } from "../../web/js/api/errors.js";
import { createHistory } from "../../web/js/api/history.js";
import { splitLines } from "../../web/js/api/ndjson.js";
import { openMemory } from "../../web/js/api/rows.js";
import { addsToName, applyEvent, createStore, createTurn, emptyAnswer, signal } from "../../web/js/store.js";

async function collect(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

async function* cut(bytes, size) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

test("lines survive any split of their bytes", async () => {
  const lines = ['{"a":"ação 😀"}', '{"b":"\u2028 is no line end"}', '{"c":1}'];
  const bytes = new TextEncoder().encode(`${lines[0]}\n\n${lines[1]}\n${lines[2]}`);
  for (let size = 1; size <= bytes.length; size += 1) {
    assert.deepEqual(await collect(splitLines(cut(bytes, size))), lines, `pieces of ${size} bytes`);
  }
});

test("each kind of line is told apart", () => {
  const sources = { message: { content: "" }, done: false, sources: [{ n: 1 }], query: "q", model: "m" };
  const told = { type: "sources", sources: [{ n: 1 }], query: "q", model: "m" };
  assert.deepEqual(toEvent(JSON.stringify(sources)), { ...told, relevant: true });
  assert.deepEqual(toEvent(JSON.stringify({ ...sources, relevant: false })), { ...told, relevant: false });
  assert.deepEqual(toEvent('{"message":{"content":"hi"},"done":false}'), { type: "token", text: "hi" });
  assert.equal(toEvent('{"message":{"content":""},"done":false}'), null);
  const { summary } = toEvent('{"done":true,"eval_count":30,"eval_duration":2000000000,"citations":[2]}');
  assert.equal(summary.tokensPerSecond, 15);
  assert.deepEqual(summary.citations, [2]);
  assert.throws(() => toEvent('{"error":"no model"}'), { kind: "broken", message: "no model", part: "" });
  assert.throws(() => toEvent('{"error":"no model","kind":"model"}'), { kind: "broken", part: "model" });
  assert.throws(() => toEvent('{"message":'), { kind: "incomplete" });
});

test("a signal tells its listeners until they leave", () => {
  const number = signal(1);
  const seen = [];
  const end = number.subscribe((value) => seen.push(value));
  number.value = 2;
  number.value = 2;
  end();
  number.value = 3;
  assert.deepEqual(seen, [1, 2]);
});

test("a title is shown beside the name when it says more", () => {
  const adds = (title, name) => addsToName({ title, name });
  for (const title of ["annual-report 2024", "Annual_Report_2024", "ANNUAL report 2024.PDF", "", undefined]) {
    assert.equal(adds(title, "Annual-Report_2024.pdf"), false, title);
  }
  assert.equal(adds("Annual report", "Annual-Report_2024.pdf"), true);
  assert.equal(adds("Relatório", "relatorio.pdf"), true);
});

test("history holds the recent turns that have an answer, oldest first", () => {
  const turns = ["a", "b", "c", "d", "e", "f"].map((question) => {
    const turn = createTurn(question);
    turn.answer.value = { ...emptyAnswer(), phase: "done", text: question === "e" ? "" : `answer ${question}` };
    return turn;
  });
  assert.deepEqual(
    makeHistory(turns).map((message) => message.content),
    ["c", "answer c", "d", "answer d", "f", "answer f"],
  );
  turns[3].answer.value = { ...emptyAnswer(), phase: "stopped", text: "x".repeat(20_000) };
  assert.deepEqual(
    makeHistory(turns).map((message) => message.role),
    ["user", "assistant"],
  );
});

test("an answer grows by its events", () => {
  let answer = emptyAnswer();
  answer = applyEvent(answer, { type: "sources", sources: [{ n: 1 }], query: "q", model: "m" });
  answer = applyEvent(answer, { type: "token", text: "Hel" });
  answer = applyEvent(answer, { type: "token", text: "lo" });
  assert.equal(answer.phase, "streaming");
  answer = applyEvent(answer, { type: "done", summary: { citations: [1] } });
  assert.deepEqual([answer.phase, answer.text, answer.summary.citations], ["done", "Hello", [1]]);
});

/** Against a real server on loopback: what it does depends on the prompt. */
const TOKEN = '{"message":{"content":"part"},"done":false}\n';
const DONE = '{"message":{"content":""},"done":true,"citations":[]}\n';
const BEHAVIOURS = {
  whole: (response) => response.end(TOKEN + DONE),
  incomplete: (response) => response.end(TOKEN),
  broken: (response) => response.end(`${TOKEN}{"error":"the model went away"}\n`),
  lost: (response) => response.write(TOKEN, () => setTimeout(() => response.destroy(), 50)),
  refused: (response) => response.writeHead(503).end('{"error":"not ready","status":503}'),
  odd: (response) => response.writeHead(502).end("<html>"),
  endless: (response) => response.write(TOKEN),
};
const realFetch = globalThis.fetch;
let server;
let closed;

before(async () => {
  server = createServer((request, response) => {
    closed = new Promise((resolve) => response.on("close", resolve));
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => BEHAVIOURS[JSON.parse(body).prompt](response));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  // A page's addresses are relative to itself; node needs them whole.
  globalThis.fetch = (path, options) => realFetch(new URL(path, base), options);
});

after(() => {
  globalThis.fetch = realFetch;
  server.closeAllConnections();
  server.close();
});

const ask = (prompt, signal = new AbortController().signal) => collect(askQuestion({ prompt, history: [] }, signal));

test("a whole answer ends with done", async () => {
  assert.deepEqual(
    (await ask("whole")).map((event) => event.type),
    ["token", "done"],
  );
});

for (const [prompt, kind, message] of [
  ["incomplete", "incomplete", ""],
  ["broken", "broken", "the model went away"],
  ["lost", "lost", ""],
  ["refused", "refused", "not ready"],
  ["odd", "refused", ""],
]) {
  test(`what goes wrong is told apart: ${prompt}`, async () => {
    await assert.rejects(ask(prompt), (error) => {
      assert.ok(error instanceof AnswerError);
      assert.deepEqual([error.kind, error.message], [kind, message]);
      return true;
    });
  });
}

function whenOver(store) {
  return new Promise((resolve) => {
    const end = store.answering.subscribe((answering) => {
      if (answering || store.turns.value.length === 0) return;
      queueMicrotask(() => end());
      resolve(store.turns.value.at(-1).answer.value);
    });
  });
}

test("stop keeps what had arrived and closes the connection", async () => {
  const store = createStore();
  const conversation = createConversation(store, { onGone: assert.fail, history: createHistory(openMemory()) });
  conversation.ask(" endless ");
  const turn = store.turns.value[0];
  await new Promise((resolve) => turn.answer.subscribe((answer) => answer.text && resolve()));
  const over = whenOver(store);
  conversation.stop();
  assert.deepEqual([(await over).phase, (await over).text, turn.question], ["stopped", "part", "endless"]);
  await closed;
});

test("a failed answer keeps its part and can be asked again", async () => {
  const store = createStore();
  let gone = 0;
  const conversation = createConversation(store, { onGone: () => (gone += 1), history: createHistory(openMemory()) });
  conversation.ask("lost");
  const failed = await whenOver(store);
  assert.deepEqual([failed.phase, failed.text, failed.failure.kind, gone], ["failed", "part", "lost", 1]);
  store.turns.value[0].question = "whole";
  conversation.retry(store.turns.value[0]);
  assert.deepEqual([(await whenOver(store)).phase, store.turns.value.length], ["done", 1]);
});
