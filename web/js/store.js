/**
 * What the page knows, as signals: values that tell their listeners when they change.
 *
 * Components read and subscribe; only `api/conversation.js` and the wiring in `app.js` write.
 */

/**
 * A value with listeners.
 * @template T
 * @param {T} initial
 */
export function signal(initial) {
  let current = initial;
  const listeners = new Set();
  return {
    get value() {
      return current;
    },
    set value(next) {
      if (Object.is(next, current)) return;
      current = next;
      for (const listener of [...listeners]) listener(current);
    },
    /** Call `listener` now and at each change; returns the function that ends it. */
    subscribe(listener) {
      listeners.add(listener);
      listener(current);
      return () => listeners.delete(listener);
    },
  };
}

/** The state of one page, empty. */
export function createStore() {
  return {
    /** The id of the conversation that is shown. */
    conversation: signal(""),
    /** Turn[]: the questions of the branch that is shown with their answers, oldest first. */
    turns: signal([]),
    /** The kept conversations without their turns, newest first; null until they are read. */
    conversations: signal(null),
    /** What is sent with each question besides its words: {model: "" for the server's, documents: ids, rewrite}. */
    options: signal({ model: "", documents: [], rewrite: true }),
    /** {phase: "loading" | "loaded" | "failed", list: Model[]}: what GET /models says. */
    models: signal({ phase: "loading", list: [] }),
    /** The hosts beyond this machine that questions may be sent to. */
    allowed: signal([]),
    /** Whether the list of conversations is open. */
    sidebar: signal(false),
    /** The key of a message of the page itself, or "". */
    message: signal(""),
    /** AbortController while an answer is being written, else null. */
    answering: signal(null),
    /** {phase: "loading" | "loaded" | "failed", list: Document[]} */
    documents: signal({ phase: "loading", list: [] }),
    /** The report of GET /ready, null before the first one, or "gone". */
    readiness: signal(null),
    /** The source shown in the page panel: {turn, n}, or null. */
    shown: signal(null),
    /** What is typed but not sent; survives a change of language. */
    draft: signal(""),
    /** The collection that added files go into; "" is the common one. */
    into: signal(""),
    /** Files that are being added, as `transfers.js` describes them. */
    transfers: signal([]),
    /** How many of the files that were dropped last were left out, because they are no documents. */
    leftOut: signal(0),
    /** Documents that can still be brought back: {document, chosen, until: milliseconds, failed}. */
    deleted: signal([]),
    /** Whether the documents are shown. */
    documentsOpen: signal(false),
  };
}

/** A name for something new: 24 characters, by their order the time at which it was made. */
export function createId() {
  // `crypto.randomUUID` is missing on plain http.
  const random = [...crypto.getRandomValues(new Uint8Array(7))].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${Date.now().toString(36).padStart(9, "0")}-${random.join("")}`;
}

/**
 * A question whose answer has not begun. `parent` is the turn that it follows ("" for the first one), `asked` in
 * milliseconds; `feedback` is null or {id, rating: "up" | "down", note}.
 */
export function createTurn(question, { parent = "", options = {} } = {}) {
  const turn = { id: createId(), parent, question, asked: Date.now(), options };
  return { ...turn, answer: signal(emptyAnswer()), feedback: signal(null) };
}

/** The turn as it is kept: without signals. */
export function freezeTurn(turn) {
  // What was put away and is nowhere any more leaves its question.
  const answer = turn.answer.value === AWAY ? { ...emptyAnswer(), phase: "interrupted" } : turn.answer.value;
  return { ...turn, answer, feedback: turn.feedback.value };
}

/** The opposite. An answer that was being written when the page went away is interrupted. */
export function thawTurn(row) {
  const answer = isOver(row.answer) ? row.answer : { ...row.answer, phase: "interrupted" };
  return { ...row, answer: signal(answer), feedback: signal(row.feedback) };
}

/**
 * An answer before its first line. `phase`: waiting, streaming, done, stopped, interrupted or failed; `checks` are
 * the sentences that were held against their sources, {start, end, supported}, offsets into `text`.
 */
export function emptyAnswer() {
  const found = { sources: [], query: "", model: "", relevant: true };
  return { phase: "waiting", text: "", ...found, checks: [], summary: null, failure: null };
}

/** The answer of every turn whose answer lies in the history alone; see `api/shelf.js`. */
export const AWAY = Object.freeze({ ...emptyAnswer(), phase: "away" });

/** The answer after one event of `api/chat.js`. Pure. */
export function applyEvent(answer, event) {
  switch (event.type) {
    case "sources": {
      const { type, ...found } = event;
      return { ...answer, phase: "streaming", ...found };
    }
    case "token":
      return addToken(answer, event);
    case "done":
      return { ...answer, phase: "done", summary: event.summary };
    default:
      return answer;
  }
}

function addToken(answer, { text, checks = [] }) {
  const all = checks.length ? [...answer.checks, ...checks] : answer.checks;
  return { ...answer, phase: "streaming", text: answer.text + text, checks: all };
}

/** Whether nothing more will come for this answer. */
export function isOver(answer) {
  return answer.phase !== "waiting" && answer.phase !== "streaming";
}

/** Whether the title says more than the file's name: not when they differ in case, `_`, `-` or the ending alone. */
export function addsToName({ title, name }) {
  const [said, known] = [title ?? "", name].map((text) =>
    text
      .normalize()
      .toLowerCase()
      .replace(/\.[a-z]{2,5}$/, "")
      .replace(/[\s_-]+/g, " ")
      .trim(),
  );
  return said !== "" && said !== known;
}

/** The documents that can be asked. */
export function readableDocuments(state) {
  return state.list.filter((document) => document.state !== "failed");
}
