/** Runs the questions, keeps the tree of turns of each conversation, and writes what is shown into the store. */

import { AWAY, createId, createTurn, emptyAnswer, freezeTurn, isOver } from "../store.js";
import { makeTitle } from "../titles.js";
import { findBranch, findPath, findSiblings } from "../tree.js";
import { answerTurn, HISTORY_TURNS } from "./answering.js";
import { createShelf } from "./shelf.js";

const SAVE_MS = 1000;

/**
 * @param {ReturnType<import("../store.js").createStore>} store
 * @param {{onGone: () => void, history: ReturnType<import("./history.js").createHistory>}} services
 *   `onGone` is called when the server did not answer; `permit(model)` resolves to whether a question may be sent
 */
export function createConversation(store, services) {
  /** The conversations of which an answer is being written go on when another one is shown. */
  const running = new Map();
  /** Turn → its conversation. */
  const homes = new WeakMap();
  const shelf = createShelf(services.history);
  let shown = createEmpty();

  function show(conversation) {
    if (conversation !== shown) store.shown.value = null;
    shown = conversation;
    store.conversation.value = shown.id;
    publish(shown);
  }
  function publish(conversation) {
    if (conversation !== shown) return;
    store.turns.value = findBranch(shown.turns, shown.chosen);
    store.answering.value = shown.controller;
  }
  function save(conversation, turns = []) {
    const { turns: all, controller, removed, lost, ...row } = conversation;
    if (removed || row.created === 0) return;
    conversation.lost = false;
    const written = lost ? all : turns.filter((turn) => turn.answer.value !== AWAY);
    void keep(store, services.history, shelf, row, written).then((kept) => {
      if (!kept) conversation.lost ||= lost;
    });
  }
  async function recall(conversation, turns) {
    const problem = await shelf.bringBack(conversation.id, turns);
    if (problem) store.message.value = problem;
  }

  /** Ask `question` below `parent`, beside what was asked there before. */
  function place(question, parent, changes = {}) {
    const prompt = question.trim();
    if (!prompt || shown.controller) return;
    const { options } = store;
    const turn = createTurn(prompt, { parent, options: { ...options.value, ...changes } });
    begin(shown, turn, options.value);
    shown.turns.push(turn);
    homes.set(turn, shown);
    shown.chosen = { ...shown.chosen, [parent]: turn.id };
    void run(shown, turn);
  }
  async function run(conversation, turn) {
    conversation.updated = Date.now();
    conversation.controller = new AbortController();
    running.set(conversation.id, conversation);
    show(conversation);
    const saver = createSaver(() => save(conversation, [turn]));
    const endSaving = turn.answer.subscribe(saver.soon);
    saver.now();
    try {
      const earlier = findPath(conversation.turns, turn);
      await recall(conversation, earlier.slice(-HISTORY_TURNS));
      await answerTurn(turn, earlier, conversation.controller.signal, services.permit);
    } finally {
      endSaving();
      conversation.controller = null;
      running.delete(conversation.id);
      saver.now();
      publish(conversation);
    }
    if (["gone", "lost"].includes(turn.answer.value.failure?.kind)) services.onGone();
  }

  return {
    /** Ask a new question at the end of the branch. Does nothing while another answer is being written here. */
    ask: (question) => place(question, store.turns.value.at(-1)?.id ?? ""),
    /**
     * Ask another question in the place of `turn`; what followed stays on the branch of the old one. `changes` are
     * options for this question alone.
     */
    edit: (turn, question, changes) => place(question, turn.parent, changes),
    /** Ask the question of `turn` again, beside the answer that is there; an answer without a word is replaced. */
    retry(turn) {
      if (shown.controller) return;
      if (turn.answer.value.text) return place(turn.question, turn.parent);
      turn.answer.value = emptyAnswer();
      // The person may have chosen another model because this one failed.
      turn.options = store.options.value;
      void run(shown, turn);
    },
    /** The versions of `turn`, oldest first. */
    versions: (turn) => findSiblings(shown.turns, turn),
    /** Show the branch of this version. */
    async choose(turn) {
      const home = shown;
      home.chosen = { ...home.chosen, [turn.parent]: turn.id };
      save(home);
      const branch = findBranch(home.turns, home.chosen);
      await recall(home, branch.slice(branch.indexOf(turn)));
      publish(home);
    },
    /** Keep what changed about `turn`, also when another conversation is shown by now. */
    async save(turn) {
      const feedback = turn.feedback.value;
      await recall(homes.get(turn), [turn]);
      turn.feedback.value = feedback;
      save(homes.get(turn), [turn]);
    },
    /** Have the answers of these turns at hand, which may have been let go. */
    recall: (turns) => recall(shown, turns),
    /** Of the conversation that is shown, only these turns are looked at: let go of the answers of the others. */
    putAwayAllBut(turns) {
      // What another tab removed is nowhere else any more.
      if (shown.lost) return;
      const seen = new Set([...turns, store.shown.value?.turn]);
      for (const turn of shown.turns) if (!seen.has(turn)) shelf.putAway(turn);
    },
    /** Keep what has arrived so far of every answer that is being written: the page may be going away. */
    flush() {
      for (const conversation of running.values()) {
        save(
          conversation,
          conversation.turns.filter((turn) => !isOver(turn.answer.value)),
        );
      }
    },
    /** Break off; what has arrived stays. */
    stop: () => shown.controller?.abort(),
    /** Show an empty conversation. */
    begin: () => show(createEmpty()),
    /** Show a kept conversation. Resolves to whether there is one. */
    async open(id) {
      if (id === shown.id) return true;
      const found = running.get(id) ?? thaw(shelf, await services.history.open(id));
      if (!found) return false;
      for (const turn of found.turns) homes.set(turn, found);
      if (found.options) store.options.value = { ...store.options.value, ...found.options };
      show(found);
      return true;
    },
    /** Add what another tab wrote into the conversation that is shown. */
    async merge(id) {
      if (id !== shown.id) return;
      const found = await services.history.open(id);
      if (id !== shown.id) return;
      // Removed by that tab: what is shown here is written whole, should it go on.
      shown.lost = !found;
      forgetOthers(shelf, shown.turns, found?.turns ?? []);
      if (!found) return;
      shown.title = found.title;
      mergeTurns(shelf, shown, found.turns);
      for (const turn of shown.turns) homes.set(turn, shown);
      publish(shown);
    },
    /** Call the conversation `id` by another title. */
    rename(id, title) {
      const open = [shown, running.get(id)].find((known) => known?.id === id);
      if (open) open.title = title;
      const row = store.conversations.value.find((entry) => entry.id === id);
      const choices = open && { chosen: open.chosen, options: open.options };
      void keep(store, services.history, shelf, { ...row, ...choices, title }, []);
    },
    /** Forget about conversations that are being removed: their answers are broken off. */
    drop(ids) {
      for (const known of [shown, ...running.values()]) {
        if (!ids.includes(known.id)) continue;
        known.removed = true;
        known.controller?.abort();
        if (known === shown) show(createEmpty());
      }
    },
  };
}

function createEmpty() {
  return { id: createId(), title: "", created: 0, updated: 0, chosen: {}, turns: [], controller: null };
}

/** The first question names the conversation; each one leaves it the options that were in use. */
function begin(conversation, turn, options) {
  conversation.created ||= turn.asked;
  conversation.title ||= makeTitle(turn.question);
  conversation.options = options;
}

function thaw(shelf, found) {
  return found && { ...found, turns: shelf.thaw(found.turns), controller: null };
}

/** What the other tab is still writing comes when it is over. */
function mergeTurns(shelf, conversation, rows) {
  for (const row of rows.filter(({ answer }) => isOver(answer))) {
    const known = conversation.turns.find(({ id }) => id === row.id);
    if (!known) conversation.turns.push(...shelf.thaw([row]));
    else if (known.answer.value.phase === "interrupted") {
      known.answer.value = row.answer;
      shelf.note(known, row);
    }
  }
}

/** What is in `rows` no longer, or otherwise, is at hand alone. */
function forgetOthers(shelf, turns, rows) {
  const texts = new Map(rows.map(({ id, answer }) => [id, answer.text]));
  for (const turn of turns) if (texts.get(turn.id) !== turn.answer.value.text) shelf.forget(turn);
}

function listConversation(conversations, row) {
  const list = conversations.value ?? [];
  const known = list.find(({ id }) => id === row.id);
  // Nothing that the list shows.
  if (known?.title === row.title && known.updated === row.updated) return void Object.assign(known, row);
  conversations.value = [...list.filter((entry) => entry !== known), row].sort((a, b) => b.updated - a.updated);
}

/** Resolves to whether the history has it. */
async function keep(store, history, shelf, row, turns) {
  listConversation(store.conversations, row);
  // What was removed, and may be there again, is not written over with less.
  const away = turns.some((turn) => turn.answer.value === AWAY) ? await shelf.bringBack(row.id, turns) : "";
  const written = away === "history.unread" ? turns.filter((turn) => turn.answer.value !== AWAY) : turns;
  const rows = written.map(freezeTurn);
  try {
    await history.save(row, rows);
    written.forEach((turn, index) => shelf.note(turn, rows[index]));
    return true;
  } catch {
    store.message.value = "history.unkept";
    return false;
  }
}

/** Calls `save` at most once in SAVE_MS, or now. */
function createSaver(save) {
  let timer = 0;
  function now() {
    clearTimeout(timer);
    timer = 0;
    save();
  }
  return { now, soon: () => (timer ||= setTimeout(now, SAVE_MS)) };
}
