/** What becomes of files that are added, and of the list of documents: the parts that need no page. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { followJob } from "../../web/js/api/jobs.js";
import { foreseeRefusal, readReply } from "../../web/js/api/uploads.js";
import { canRetry, createTransfer, describe, isActive, measure, mergeJobs, withJob } from "../../web/js/transfers.js";
import { useLanguage } from "../../web/js/i18n/index.js";
import { findDocuments, sortDocuments } from "../../web/js/ui/documents-list.js";
import { makeQuestions } from "../../web/js/ui/empty.js";

const JOB = {
  id: "1",
  name: "a.pdf",
  size: 10,
  state: "running",
  stage: "received",
  pages: { done: 0, total: 0 },
  windows: { done: 0, total: 0 },
  searchable: false,
};
const FILE = { name: "a.pdf", size: 10 };
const keys = (transfer) => describe(transfer).map(([key]) => key);

test("a transfer never goes backwards, and says what can be done with it at each step", () => {
  const pages = { done: 5, total: 10 };
  const windows = { done: 30, total: 40 };
  const sending = { ...createTransfer("k", FILE), phase: "sending", sent: 0.5 };
  const steps = [
    [createTransfer("k", FILE), ["transfer.waiting"]],
    [sending, ["transfer.sending"]],
    [withJob(sending, { ...JOB, state: "queued", stage: "fetching" }), ["transfer.fetching"]],
    [withJob(sending, { ...JOB, state: "queued" }), ["transfer.queued"]],
    [withJob(sending, JOB), ["transfer.received"]],
    [withJob(sending, { ...JOB, stage: "text", searchable: true, pages }), ["transfer.searchable", "transfer.pages"]],
    [withJob(sending, { ...JOB, stage: "layout", searchable: true, windows }), ["transfer.searchable", "transfer.windows"]],
    [withJob(sending, { ...JOB, stage: "ready", state: "done" }), ["transfer.ready"]],
  ];
  for (const [transfer, expected] of steps) assert.deepEqual(keys(transfer), expected);
  const shares = steps.map(([transfer]) => measure(transfer));
  assert.deepEqual(shares, [...shares].sort((a, b) => a - b));
  assert.equal(shares.at(-1), 1);
  assert.deepEqual(
    steps.map(([transfer]) => isActive(transfer)),
    [true, true, true, true, true, true, true, false],
  );
  assert.deepEqual(keys(withJob(sending, { ...JOB, state: "done", duplicate: true })), ["transfer.duplicate"]);
});

test("another attempt is offered where it can end differently", () => {
  const failed = (kind) => ({ ...createTransfer("k", FILE), phase: "failed", kind });
  const offered = ["gone", "too_slow", "failed", "unreachable", "never heard of"].map((kind) => canRetry(failed(kind)));
  assert.deepEqual(offered, [true, true, true, true, true]);
  const pointless = ["too_large", "wrong_format", "empty", "unread", "encrypted", "damaged", "address"].map((kind) => canRetry(failed(kind)));
  assert.deepEqual(pointless, [false, false, false, false, false, false, false]);
  assert.ok(canRetry(withJob(createTransfer("k", FILE), { ...JOB, state: "cancelled" })));
  assert.ok(!canRetry({ ...failed("gone"), file: null }));
});

test("each failure is said in words of its own", () => {
  const kinds = ["too_large", "wrong_format", "empty", "unread", "encrypted", "damaged", "too_slow", "gone", "unreadable", "address", "failed"];
  const said = kinds.map((kind) => keys({ ...createTransfer("k", FILE), phase: "failed", kind })[0]);
  assert.equal(new Set(said).size, kinds.length);
});

test("the server's list brings what others began, once, and not what was dismissed", () => {
  const mine = withJob(createTransfer("k", FILE), JOB);
  const jobs = [
    { ...JOB, stage: "text" },
    { ...JOB, id: "2" },
    { ...JOB, id: "3", state: "done" },
    { ...JOB, id: "4", state: "failed" },
    { ...JOB, id: "5", state: "failed" },
  ];
  const merged = mergeJobs([mine], jobs, ["5"]);
  assert.deepEqual(
    merged.map(({ key, job }) => [key, job.id, job.stage]),
    [
      ["k", "1", "text"],
      ["2", "2", "received"],
      ["4", "4", "received"],
    ],
  );
  assert.equal(merged[0].file, FILE);
  assert.equal(mergeJobs(merged, jobs, ["5"]).length, 3);
});

test("what the server says of an upload is a job or a refusal with its kind", () => {
  assert.equal(readReply(202, JSON.stringify({ jobs: [JOB], refused: [] })).job.id, "1");
  const refused = JSON.stringify({ error: "one", refused: [{ kind: "encrypted", error: "needs a password" }] });
  const { error } = readReply(422, refused);
  assert.deepEqual([error.kind, error.message], ["encrypted", "needs a password"]);
  assert.equal(readReply(413, "<html>a proxy</html>").error.kind, "too_large");
  assert.equal(readReply(500, '{"error": "broken", "status": 500}').error.message, "broken");
});

test("what would be refused is foreseen by size", () => {
  const file = (text) => new File([text], "x.pdf");
  assert.equal(foreseeRefusal(file(""), 100), "empty");
  assert.equal(foreseeRefusal(file("%PDF-1.7".padEnd(101)), 100), "too_large");
  assert.equal(foreseeRefusal(file("%PDF-1.7".padEnd(101)), 0), "");
});

test("documents are found by every word, without accents, and sorted as people count", () => {
  const documents = [
    { id: "a", name: "Relatório 10.pdf", title: "Energia", pages: 3, size: 1, added_at: 5 },
    { id: "b", name: "relatório 9.pdf", title: null, pages: 30, size: 2, added_at: 4 },
    { id: "c", name: "Ata.pdf", title: "Energia elétrica", pages: 3, size: 3, added_at: 6 },
  ];
  const ids = (list) => list.map(({ id }) => id).join("");
  assert.equal(ids(findDocuments(documents, " RELATORIO energia ")), "a");
  assert.equal(ids(findDocuments(documents, "eletrica")), "c");
  assert.equal(ids(findDocuments(documents, "")), "abc");
  const orders = ["name", "added", "pages", "size"].map((by) => ids(sortDocuments(documents, by)));
  assert.deepEqual(orders, ["cba", "cab", "bca", "cba"]);
});

test("questions are about headings first, then about titles that are short, each once", async () => {
  globalThis.document = { documentElement: {} };
  await useLanguage("en");
  const titles = ["Tides", "Tides", "long ".repeat(20), "Winds", "Waves"];
  const documents = titles.map((title) => ({ title, name: "a.pdf" }));
  const topics = [{ heading: "Why does it turn?" }, { heading: "The old lamp" }];
  assert.deepEqual(makeQuestions(topics, documents), [
    "Why does it turn?",
    "What do the documents say about “The old lamp”?",
    "What is “Tides” about?",
  ]);
  assert.deepEqual(makeQuestions([], documents), ["Tides", "Winds", "Waves"].map((title) => `What is “${title}” about?`));
  delete globalThis.document;
});

const realFetch = globalThis.fetch;
const scripts = [];
let server;

before(async () => {
  server = createServer((request, response) => scripts.shift()(response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  globalThis.fetch = (path, options) => realFetch(new URL(path, base), options);
});

after(() => {
  globalThis.fetch = realFetch;
  server.close();
});

async function follow(...script) {
  scripts.push(...script);
  const seen = [];
  for await (const job of followJob("1", [0])) seen.push(job && job.stage);
  return seen;
}
const line = (stage, state = "running") => `${JSON.stringify({ ...JOB, stage, state })}\n`;

test("a job is followed over broken connections, refusals and restarts until it is over", async () => {
  const seen = await follow(
    (response) => {
      response.write(line("received"));
      setTimeout(() => response.destroy(), 50);
    },
    (response) => response.writeHead(503).end("{}"),
    (response) => response.end(line("text")),
    (response) => response.end(`${line("layout")}{"half`),
    (response) => response.end(line("ready", "done")),
  );
  assert.deepEqual(seen, ["received", null, null, "text", "layout", null, "ready"]);
  assert.equal(scripts.length, 0);
});

test("a job that the server has forgotten is followed no longer", async () => {
  assert.deepEqual(await follow((response) => response.writeHead(404).end("{}")), []);
});
