/** Runs one question at a time and writes what arrives into the store. */

import { applyEvent, createTurn, emptyAnswer, isOver } from "../store.js";
import { askQuestion } from "./chat.js";
import { AnswerError } from "./errors.js";

const HISTORY_TURNS = 4;
const HISTORY_CHARS = 12_000;

/**
 * @param {ReturnType<import("../store.js").createStore>} store
 * @param {{onGone: () => void}} hooks `onGone` is called when the server did not answer
 */
export function createConversation(store, hooks) {
  return {
    /** Ask a new question. Does nothing while another answer is being written. */
    ask(question) {
      const prompt = question.trim();
      if (!prompt || store.answering.value) return;
      const turn = createTurn(prompt);
      const earlier = store.turns.value;
      store.turns.value = [...earlier, turn];
      void run(store, hooks, turn, earlier);
    },
    /** Ask the question of `turn` again; its answer begins anew. */
    retry(turn) {
      if (store.answering.value) return;
      turn.answer.value = emptyAnswer();
      void run(store, hooks, turn, store.turns.value.slice(0, store.turns.value.indexOf(turn)));
    },
    /** Break off; what has arrived stays. */
    stop() {
      store.answering.value?.abort();
    },
    /** Forget every turn. */
    clear() {
      store.answering.value?.abort();
      store.shown.value = null;
      store.turns.value = [];
    },
  };
}

/** The recent turns as the wire wants them, oldest first, within a fixed number of characters. */
export function makeHistory(turns) {
  const messages = [];
  let chars = 0;
  for (const turn of turns.slice(-HISTORY_TURNS).reverse()) {
    const { text } = turn.answer.value;
    chars += turn.question.length + text.length;
    if (!text || !isOver(turn.answer.value)) continue;
    if (chars > HISTORY_CHARS) break;
    messages.unshift({ role: "user", content: turn.question }, { role: "assistant", content: text });
  }
  return messages;
}

async function run(store, hooks, turn, earlier) {
  const controller = new AbortController();
  store.answering.value = controller;
  const question = { prompt: turn.question, history: makeHistory(earlier) };
  try {
    for await (const event of askQuestion(question, controller.signal)) {
      turn.answer.value = applyEvent(turn.answer.value, event);
    }
  } catch (error) {
    turn.answer.value = { ...turn.answer.value, ...describeEnd(error, controller.signal) };
    if (turn.answer.value.failure?.kind === "gone") hooks.onGone();
  } finally {
    if (store.answering.value === controller) store.answering.value = null;
  }
}

function describeEnd(error, signal) {
  if (signal.aborted) return { phase: "stopped" };
  if (!(error instanceof AnswerError)) throw error;
  return { phase: "failed", failure: { kind: error.kind, message: error.message, status: error.status } };
}
