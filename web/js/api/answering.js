/** One question: what is sent for it, and its answer as it arrives. */

import { applyEvent, isOver } from "../store.js";
import { askQuestion } from "./chat.js";
import { AnswerError } from "./errors.js";

/** So many turns at most go along with a question. */
export const HISTORY_TURNS = 4;
const HISTORY_CHARS = 12_000;

/**
 * Ask the question of `turn` after the turns `earlier`, and fill its answer until that is over.
 * @param {(model: string) => Promise<boolean>} permit whether anything may be sent to this model
 */
export async function answerTurn(turn, earlier, signal, permit = async () => true) {
  const history = makeHistory(earlier);
  try {
    if (!(await permit(turn.options.model))) throw new AnswerError("unsent");
    signal.throwIfAborted();
    for await (const event of askQuestion(toRequest(turn, history), signal)) {
      turn.answer.value = applyEvent(turn.answer.value, event);
    }
  } catch (error) {
    turn.answer.value = { ...turn.answer.value, ...describeEnd(error, signal) };
  }
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

function toRequest({ question, options }, history) {
  const request = { prompt: question, history };
  if (options.model) request.model = options.model;
  if (options.documents?.length) request.filters = { documents: options.documents };
  if (options.rewrite === false) request.rewrite = false;
  return request;
}

function describeEnd(error, signal) {
  if (signal.aborted) return { phase: "stopped" };
  if (!(error instanceof AnswerError)) throw error;
  return { phase: "failed", failure: { kind: error.kind, message: error.message, status: error.status, part: error.part } };
}
