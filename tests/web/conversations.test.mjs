/** Conversations without a page: their tree, titles, days, files, search and what of them is kept. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createHistory } from "../../web/js/api/history.js";
import { createLibrary } from "../../web/js/api/library.js";
import { openMemory } from "../../web/js/api/rows.js";
import { createConversation } from "../../web/js/api/conversation.js";
import { readJson, writeJson, writeMarkdown } from "../../web/js/exchange.js";
import { AWAY, createStore, emptyAnswer, freezeTurn, thawTurn, createTurn } from "../../web/js/store.js";
import { countDays, groupByDay, makeTitle, MAX_TITLE } from "../../web/js/titles.js";
import { findBranch, findPath, findSiblings } from "../../web/js/tree.js";
import { chooseVoice, splitSpoken } from "../../web/js/ui/speech.js";

const turn = (id, parent, question = id) => ({ id, parent, question });
const ids = (turns) => turns.map(({ id }) => id);
const TREE = [turn("a", ""), turn("b", "a"), turn("c", "b"), turn("b2", "a"), turn("c2", "b2"), turn("a2", "")];

test("a branch follows what was chosen, and the newest elsewhere", () => {
  assert.deepEqual(ids(findBranch(TREE, {})), ["a2"]);
  assert.deepEqual(ids(findBranch(TREE, { "": "a" })), ["a", "b2", "c2"]);
  assert.deepEqual(ids(findBranch(TREE, { "": "a", a: "b" })), ["a", "b", "c"]);
  assert.deepEqual(ids(findBranch(TREE, { "": "gone" })), ["a2"]);
  assert.deepEqual(findBranch([], {}), []);
  assert.deepEqual(ids(findSiblings(TREE, TREE[1])), ["b", "b2"]);
  assert.deepEqual(ids(findPath(TREE, TREE[4])), ["a", "b2"]);
});

test("a title is the question on one line, cut at a word", () => {
  assert.equal(makeTitle("  What is\n a window? "), "What is a window?");
  const long = makeTitle("word ".repeat(40));
  assert.ok(long.length <= MAX_TITLE && long.endsWith("word…"), long);
  assert.equal([...makeTitle("😀".repeat(200))].length, MAX_TITLE);
  assert.ok(!makeTitle("😀".repeat(200)).includes("\ud83d…"));
});

test("the list is divided by local days, newest first", () => {
  const at = (...parts) => ({ updated: new Date(...parts).getTime() });
  const list = [at(2025, 2, 29, 23, 59), at(2025, 2, 31, 0, 1), at(2025, 2, 30, 0, 0), at(2025, 2, 31, 23, 0)];
  assert.deepEqual(
    groupByDay(list).map(({ day, list: found }) => [new Date(day).getDate(), found.length]),
    [
      [31, 2],
      [30, 1],
      [29, 1],
    ],
  );
  assert.equal(countDays(list[0].updated, list[3].updated), 2);
});

const SOURCE = {
  n: 1,
  document: "ab12",
  name: "tides_*2024*.pdf",
  title: "",
  page: 4,
  score: 0.5,
  text: "High water",
  chunk_id: "x",
  boxes: [[1, 2, 3, 4]],
};

function makeConversation(id = "c1") {
  const answer = {
    ...emptyAnswer(),
    phase: "done",
    text: "At noon [1].",
    sources: [SOURCE, { ...SOURCE, n: 2, page: 9 }],
  };
  const rest = { asked: 5, options: { model: "", documents: [], rewrite: true }, feedback: null };
  const turns = [
    { ...turn("t1", "", "When is <b>high</b> water?"), answer, ...rest },
    { ...turn("t2", "t1", "And\nlow?"), answer: { ...answer, phase: "stopped", text: "", sources: [] }, ...rest },
    { ...turn("t3", "t1", "And spring tide?"), answer, ...rest },
  ];
  return { id, title: "High water", created: 1, updated: 2, chosen: { t1: "t2" }, options: rest.options, turns };
}

test("Markdown holds the shown branch with its cited sources", () => {
  const t = (key, { page } = {}) => (page ? `page ${page}` : key);
  const text = writeMarkdown([makeConversation()], t);
  assert.ok(text.startsWith("# High water\n\n## When is \\<b\\>high\\</b\\> water?\n\nAt noon [1].\n"), text);
  assert.ok(text.includes("- [1] tides\\_\\*2024\\*.pdf, page 4\n"), text);
  assert.ok(!text.includes("page 9"), "not cited");
  assert.ok(text.includes("> And\n> low?") && text.includes("*answer.stopped*"), text);
  assert.ok(!text.includes("spring"), "another branch");
});

test("what is exported comes back as it was", () => {
  const all = [makeConversation(), makeConversation("c2")];
  const back = readJson(writeJson(all));
  assert.deepEqual(
    back.map((one) => ids(one.turns)),
    [
      ["t1", "t2", "t3"],
      ["t1", "t2", "t3"],
    ],
  );
  assert.deepEqual(back[0].turns[0].answer.sources[0].boxes, SOURCE.boxes);
  assert.deepEqual(back[0].chosen, { t1: "t2" });
  assert.deepEqual(readJson(writeJson(back)), back);
});

test("an unfinished answer comes back as interrupted, and nothing unknown comes along", () => {
  const one = makeConversation();
  one.turns[0].answer = { ...one.turns[0].answer, phase: "streaming" };
  one.turns[0].onclick = "alert(1)";
  const [back] = readJson(writeJson([one]));
  assert.equal(back.turns[0].answer.phase, "interrupted");
  assert.ok(!("onclick" in back.turns[0]));
});

/** Each makes one thing wrong; the message names the place. */
const HOSTILE = {
  "file.format": (file) => (file.format = "other"),
  "file.version": (file) => (file.version = 2),
  "file.conversations": (file) => (file.conversations = {}),
  "conversations[0].id": (file) => (file.conversations[0].id = "../x"),
  "conversations[0].title": (file) => (file.conversations[0].title = ["x"]),
  "turns[1]": (file) => (file.conversations[0].turns[1].parent = "t3"),
  "turns[2]": (file) => (file.conversations[0].turns[2].id = "t1"),
  "turns[0].question": (file) => (file.conversations[0].turns[0].question = { html: "<img>" }),
  "turns[0].answer.phase": (file) => (file.conversations[0].turns[0].answer.phase = "constructor"),
  "turns[0].answer.failure": (file) => (file.conversations[0].turns[0].answer.phase = "failed"),
  "sources[0].page": (file) => (file.conversations[0].turns[0].answer.sources[0].page = "4"),
  "sources[0].document": (file) => (file.conversations[0].turns[0].answer.sources[0].document = "a/../../ready"),
  "boxes[0][2]": (file) => (file.conversations[0].turns[0].answer.sources[0].boxes[0][2] = null),
  "answer.summary.services": (file) =>
    (file.conversations[0].turns[0].answer.summary = {
      model: "",
      reason: "",
      citations: [],
      leftOut: 0,
      tokensPerSecond: 0,
      services: 5,
    }),
};

for (const [place, spoil] of Object.entries(HOSTILE)) {
  test(`a file that is wrong at ${place} is refused whole`, () => {
    const file = JSON.parse(writeJson([makeConversation()]));
    spoil(file);
    assert.throws(
      () => readJson(JSON.stringify(file)),
      (error) => {
        assert.ok(error instanceof TypeError, error.stack);
        assert.ok(error.message.includes(place), error.message);
        return true;
      },
    );
  });
}

test("other files are refused", () => {
  for (const text of [
    "",
    "no",
    "null",
    "5",
    "[]",
    "{}",
    '{"conversations":[null]}',
    '{"__proto__":{"format":"acervo-conversations"}}',
  ]) {
    assert.throws(
      () => readJson(text),
      (error) => error instanceof TypeError || error instanceof SyntaxError,
      text,
    );
  }
});

function makeLibrary() {
  const store = createStore();
  const history = createHistory(openMemory());
  const conversation = createConversation(store, { onGone: assert.fail, history });
  return { store, history, conversation, library: createLibrary(store, history, conversation) };
}

test("an import adds what is not here, and beside it what differs", async () => {
  const { store, history, library } = makeLibrary();
  assert.deepEqual(await library.bring(writeJson([makeConversation()])), { added: 1, known: 0 });
  assert.deepEqual(await library.bring(writeJson([makeConversation(), makeConversation("c2")])), {
    added: 1,
    known: 1,
  });
  const longer = makeConversation();
  longer.turns.push({ ...longer.turns[0], id: "t4", parent: "t3" });
  assert.deepEqual(await library.bring(writeJson([longer])), { added: 1, known: 0 });
  assert.equal(store.conversations.value.length, 3);
  assert.equal((await history.open("c1")).turns.length, 3, "the one that was here is as it was");
});

test("what is deleted is gone with its texts, and undo brings all of it back", async () => {
  const { store, history, library, conversation } = makeLibrary();
  await library.bring(writeJson([makeConversation(), makeConversation("c2")]));
  await conversation.open("c1");
  const undo = await library.remove(["c1"]);
  assert.deepEqual(store.turns.value, []);
  assert.deepEqual([...(await library.search("noon"))], ["c2"]);
  await undo();
  assert.equal(await conversation.open("c1"), true);
  assert.deepEqual(ids(store.turns.value), ["t1", "t2"]);
  assert.deepEqual((await history.open("c1")).chosen, { t1: "t2" });
});

test("a search finds words of questions and answers, whatever their accents and order", async () => {
  const { library } = makeLibrary();
  const other = makeConversation("c2");
  other.turns[0].question = "Quando é a maré?";
  await library.bring(writeJson([makeConversation(), other]));
  assert.deepEqual([...(await library.search("NOON mare"))], ["c2"]);
  assert.deepEqual([...(await library.search("spring")).values()].length, 2);
  assert.deepEqual([...(await library.search("nothing of this"))], []);
});

test("an answer that was being written when the page went away is interrupted", () => {
  const fresh = createTurn("q", { parent: "p" });
  fresh.answer.value = { ...emptyAnswer(), phase: "streaming", text: "part" };
  const row = freezeTurn(fresh);
  assert.deepEqual([row.answer.phase, row.feedback, row.parent], ["streaming", null, "p"]);
  assert.deepEqual([thawTurn(row).answer.value.phase, thawTurn(row).answer.value.text], ["interrupted", "part"]);
});

test("answers that nobody looks at lie in the history, and are never written over", async () => {
  const { store, history, conversation, library } = makeLibrary();
  await library.bring(writeJson([makeConversation()]));
  await conversation.open("c1");
  const [first, second] = store.turns.value;
  const before = first.answer.value;
  conversation.putAwayAllBut([second]);
  assert.equal(first.answer.value, AWAY);
  assert.notEqual(second.answer.value, AWAY);
  await conversation.save(first);
  await settled();
  assert.equal((await history.openTurn("c1", "t1")).answer.text, "At noon [1].");
  await conversation.recall([first]);
  assert.deepEqual(first.answer.value, before);
  assert.equal(store.message.value, "");
});

test("what the history has not, or not as it is, stays at hand", async () => {
  const { store, history, conversation, library } = makeLibrary();
  await library.bring(writeJson([makeConversation()]));
  await conversation.open("c1");
  const [first] = store.turns.value;
  first.feedback.value = { id: "f", rating: "up", note: "" };
  conversation.putAwayAllBut([]);
  assert.equal(first.answer.value.text, "At noon [1].", "its rating is not kept yet");
  const { save } = history;
  history.save = async () => {
    throw new Error("the disk is full");
  };
  await conversation.save(first);
  await settled();
  conversation.putAwayAllBut([]);
  assert.equal(first.answer.value.text, "At noon [1].", "it could not be kept");
  assert.equal(store.message.value, "history.unkept");
  history.save = save;
  await conversation.save(first);
  await settled();
  conversation.putAwayAllBut([]);
  assert.equal(first.answer.value, AWAY);
  await history.remove(["c1"]);
  await conversation.recall([first]);
  assert.equal(first.answer.value, AWAY);
  assert.equal(store.message.value, "history.missing");
});

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A conversation that is shown and of which `t1` is put away. */
async function makeAway() {
  const made = makeLibrary();
  await made.library.bring(writeJson([makeConversation()]));
  await made.conversation.open("c1");
  const [first, second] = made.store.turns.value;
  made.conversation.putAwayAllBut([second]);
  assert.equal(first.answer.value, AWAY);
  return { ...made, first, second };
}

test("what was removed elsewhere and came back is not written over with less", async () => {
  const { history, conversation, second } = await makeAway();
  const whole = await history.open("c1");
  await history.remove(["c1"]);
  await conversation.merge("c1");
  await history.put([whole]);
  await conversation.save(second);
  await settled();
  const kept = (await history.open("c1")).turns;
  assert.deepEqual(
    kept.map(({ answer }) => [answer.phase, answer.text]),
    whole.turns.map(({ answer }) => [answer.phase, answer.text]),
  );
});

test("what was removed elsewhere stays at hand until it is written again", async () => {
  const { store, history, conversation, second } = await makeAway();
  await history.remove(["c1"]);
  await conversation.merge("c1");
  const { save } = history;
  history.save = async () => {
    throw new Error("the disk is full");
  };
  second.feedback.value = { id: "f", rating: "up", note: "" };
  await conversation.save(second);
  await settled();
  conversation.putAwayAllBut([]);
  assert.equal(second.answer.value.phase, "stopped");
  history.save = save;
  await conversation.save(second);
  await settled();
  assert.deepEqual(
    (await history.open("c1")).turns.map(({ id, answer }) => [id, answer.phase]),
    [
      ["t1", "interrupted"],
      ["t2", "stopped"],
      ["t3", "interrupted"],
    ],
    "the question of what is nowhere any more stays",
  );
  assert.equal(store.turns.value.length, 2);
});

test("what another tab wrote with less stays at hand as it is here", async () => {
  const { history, conversation, first, second } = await makeAway();
  const whole = await history.open("c1");
  await conversation.recall([first]);
  await history.remove(["c1"]);
  const [one] = whole.turns;
  await history.put([{ ...whole, turns: [{ ...one, answer: { ...one.answer, phase: "interrupted", text: "" } }] }]);
  await conversation.merge("c1");
  conversation.putAwayAllBut([]);
  assert.deepEqual([first.answer.value.text, second.answer.value.phase], ["At noon [1].", "stopped"]);
});

test("a rating that comes late is kept with the answer that was put away meanwhile", async () => {
  const { history, conversation, first } = await makeAway();
  first.feedback.value = { id: "f", rating: "down", note: "wrong" };
  await conversation.save(first);
  await settled();
  const { answer, feedback } = await history.openTurn("c1", "t1");
  assert.deepEqual([answer.text, feedback.rating, first.feedback.value.note], ["At noon [1].", "down", "wrong"]);
});

test("a history that cannot be read is told apart from one that lacks it", async () => {
  const { store, history, conversation, first } = await makeAway();
  const { openTurn } = history;
  history.openTurn = async () => {
    throw new DOMException("closing", "InvalidStateError");
  };
  await conversation.recall([first]);
  assert.deepEqual([first.answer.value, store.message.value], [AWAY, "history.unread"]);
  history.openTurn = openTurn;
  await conversation.recall([first]);
  assert.equal(first.answer.value.text, "At noon [1].");
});

test("answers are spoken by sentences, without marks, code or citations", () => {
  const text =
    "It has **three** parts [1]. See `x` [2, 3].\n\n- first one\n- second one\n\n```py\ncode()\n```\nThe end";
  assert.deepEqual(splitSpoken(text, "en"), ["It has three parts.", "See x.", "first one", "second one", "The end"]);
});

test("only a voice of this machine reads, of the same country where there is one", () => {
  const voice = (lang, localService) => ({ lang, localService });
  const voices = [voice("pt-BR", false), voice("pt-PT", true), voice("pt_BR", true), voice("en-US", true)];
  assert.equal(chooseVoice(voices, "pt-BR"), voices[2]);
  assert.equal(chooseVoice(voices, "pt"), voices[1]);
  assert.equal(chooseVoice([voices[0]], "pt-BR"), undefined);
  assert.equal(chooseVoice(voices, "fr"), undefined);
});
