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
    /** Turn[]: questions with their answers, oldest first. */
    turns: signal([]),
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
  };
}

let lastId = 0;

/** A question whose answer has not begun. */
export function createTurn(question) {
  lastId += 1;
  return { id: lastId, question, answer: signal(emptyAnswer()) };
}

/** An answer before its first line. `phase`: waiting, streaming, done, stopped or failed. */
export function emptyAnswer() {
  return { phase: "waiting", text: "", sources: [], query: "", model: "", summary: null, failure: null };
}

/** The answer after one event of `api/chat.js`. Pure. */
export function applyEvent(answer, event) {
  switch (event.type) {
    case "sources":
      return { ...answer, phase: "streaming", sources: event.sources, query: event.query, model: event.model };
    case "token":
      return { ...answer, phase: "streaming", text: answer.text + event.text };
    case "done":
      return { ...answer, phase: "done", summary: event.summary };
    default:
      return answer;
  }
}

/** Whether nothing more will come for this answer. */
export function isOver(answer) {
  return answer.phase === "done" || answer.phase === "stopped" || answer.phase === "failed";
}

/** Whether the title says more than the file's name: not when they differ in case, `_`, `-` or `.pdf` alone. */
export function addsToName({ title, name }) {
  const [said, known] = [title ?? "", name].map((text) =>
    text
      .normalize()
      .toLowerCase()
      .replace(/\.pdf$/, "")
      .replace(/[\s_-]+/g, " ")
      .trim(),
  );
  return said !== "" && said !== known;
}

/** The documents that can be asked. */
export function readableDocuments(state) {
  return state.list.filter((document) => document.state !== "failed");
}
