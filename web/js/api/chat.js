/** POST /: a question in, a stream of events out. Owns the request and never touches the DOM. */

import { AnswerError } from "./errors.js";
import { readChunks, splitLines } from "./ndjson.js";
import { request } from "./requests.js";

const NANO = 1e9;

/**
 * Ask, and yield `{type: "sources" | "token" | "done", …}` as they arrive.
 * Aborting `signal` ends the stream with the browser's AbortError; everything else that goes
 * wrong is an `AnswerError`.
 * @param {{prompt: string, history: {role: string, content: string}[]}} question
 * @param {AbortSignal} signal
 */
export async function* askQuestion(question, signal) {
  const response = await send(question, signal);
  if (!response.ok) throw await describeRefusal(response);
  for await (const line of readAnswer(response, signal)) {
    const event = toEvent(line);
    if (event) yield event;
    if (event?.type === "done") return;
  }
  throw new AnswerError("incomplete");
}

/** One line of the wire as an event, or null for a line that carries nothing. */
export function toEvent(line) {
  const part = parseLine(line);
  if (typeof part.error === "string") throw new AnswerError("broken", part.error, 0, part.kind);
  if (part.done) return { type: "done", summary: summarise(part) };
  if (Array.isArray(part.sources)) {
    const { sources, query = "", model = "", relevant = true, rewritten_by: rewrittenBy } = part;
    return { type: "sources", sources, query, model, relevant, ...(rewrittenBy && { rewrittenBy }) };
  }
  const text = part.message?.content ?? "";
  const checks = Array.isArray(part.checks) && part.checks;
  return text || checks ? { type: "token", text, ...(checks && { checks }) } : null;
}

function parseLine(line) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    throw new AnswerError("incomplete");
  }
}

/** The last line; durations in seconds. */
function summarise(part) {
  const seconds = (part.eval_duration ?? 0) / NANO;
  return {
    model: part.model ?? "",
    reason: part.done_reason ?? "stop",
    citations: part.citations ?? [],
    leftOut: part.left_out ?? 0,
    services: part.services ?? [],
    fallback: part.fallback ?? [],
    tokensPerSecond: seconds > 0 && part.eval_count > 0 ? part.eval_count / seconds : 0,
    passagesLeftOut: part.passages_left_out ?? [],
    tokensRead: part.prompt_eval_count || part.prompt_tokens || 0,
    tokensWritten: part.eval_count ?? 0,
    window: part.num_ctx ?? 0,
    searching: (part.search_duration ?? 0) / NANO,
    rewriting: (part.rewrite_duration ?? 0) / NANO,
    firstToken: (part.first_token_duration ?? 0) / NANO,
  };
}

async function send(question, signal) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
    signal,
  };
  return orFail(request("/", options), signal, "gone");
}

async function* readAnswer(response, signal) {
  const lines = splitLines(readChunks(response.body));
  try {
    for (;;) {
      const { done, value } = await orFail(lines.next(), signal, "lost");
      if (done) return;
      yield value;
    }
  } finally {
    await lines.return();
  }
}

/** A network failure becomes an error of this `kind`; a stop asked for by the person stays what it is. */
async function orFail(promise, signal, kind) {
  try {
    return await promise;
  } catch (error) {
    if (signal.aborted || error instanceof AnswerError) throw error;
    throw new AnswerError(kind);
  }
}

async function describeRefusal(response) {
  const body = await response.json().catch(() => ({}));
  return new AnswerError("refused", typeof body?.error === "string" ? body.error : "", response.status, body?.kind);
}
