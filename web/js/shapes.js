/**
 * What an imported file may hold. Each shape is a function (value, place) → the checked copy; it throws
 * `TypeError` with the place that is wrong. What a shape does not name is left out. Pure.
 */

const MAX_TEXT = 400_000;
const PHASES = ["done", "stopped", "interrupted", "failed"];

/** The file, checked as a whole. */
export function checkFile(value, format) {
  const file = record({ format: oneOf([format]), version: oneOf([1]), conversations: list(conversation, 10_000) });
  return file(value, "file");
}

const fail = (place) => {
  throw new TypeError(place);
};
const text =
  (max = MAX_TEXT) =>
  (value, place) =>
    typeof value === "string" && value.length <= max ? value : fail(place);
const number = (value, place) => (Number.isFinite(value) ? value : fail(place));
const whole = (value, place) => (Number.isSafeInteger(value) && value >= 0 ? value : fail(place));
const flag = (value, place) => (typeof value === "boolean" ? value : fail(place));
const oneOf = (values) => (value, place) => (values.includes(value) ? value : fail(place));
const id = (value, place) => (typeof value === "string" && /^[\w-]{1,80}$/.test(value) ? value : fail(place));
const perhaps = (shape, missing) => (value, place) =>
  value === undefined || value === null ? missing : shape(value, place);
const list = (shape, max) => (value, place) => {
  if (!Array.isArray(value) || value.length > max) fail(place);
  return value.map((item, index) => shape(item, `${place}[${index}]`));
};
const record = (fields) => (value, place) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(place);
  const own = (name) => (Object.hasOwn(value, name) ? value[name] : undefined);
  return Object.fromEntries(
    Object.entries(fields).map(([name, shape]) => [name, shape(own(name), `${place}.${name}`)]),
  );
};
const numbers = (shape) => (value, place) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(place);
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 20)
      .map(([name, item]) => [name, shape(item, `${place}.${name}`)]),
  );
};

const passage = {
  document: id,
  name: text(1000),
  page: whole,
  unit: perhaps(text(20), "page"),
  score: perhaps(number),
  chunk_id: perhaps(text(200), ""),
};
const source = record({
  n: whole,
  ...passage,
  title: perhaps(text(2000), ""),
  url: perhaps(text(2000), ""),
  text: text(),
  boxes: perhaps(list(list(number, 4), 1000), []),
  joined: perhaps(list(text(200), 100), []),
  parts: perhaps(numbers(number)),
});
const summary = record({
  model: text(200),
  reason: text(40),
  citations: list(whole, 100),
  leftOut: whole,
  services: list(record({ name: text(200), host: text(400), local: flag }), 20),
  fallback: perhaps(list(record({ model: text(200), reason: text(4000) }), 20), []),
  tokensPerSecond: number,
  passagesLeftOut: perhaps(list(record(passage), 100), []),
  tokensRead: perhaps(number, 0),
  tokensWritten: perhaps(number, 0),
  window: perhaps(number, 0),
  searching: perhaps(number, 0),
  rewriting: perhaps(number, 0),
  firstToken: perhaps(number, 0),
});
const failure = record({
  kind: oneOf(["gone", "lost", "refused", "broken", "incomplete", "unsent"]),
  message: perhaps(text(2000), ""),
  status: perhaps(whole, 0),
  part: perhaps(text(40), ""),
});
const answer = (value, place) => {
  const fields = {
    phase: (phase, at) => (phase === "waiting" || phase === "streaming" ? "interrupted" : oneOf(PHASES)(phase, at)),
    text: text(),
    sources: list(source, 100),
    query: perhaps(text(), ""),
    model: perhaps(text(200), ""),
    language: perhaps(text(40), ""),
    relevant: perhaps(flag, true),
    rewrittenBy: perhaps(oneOf(["", "model", "rule"]), ""),
    checks: perhaps(list(record({ start: whole, end: whole, supported: flag }), 10_000), []),
    summary: perhaps(summary, null),
    failure: perhaps(failure, null),
  };
  const checked = record(fields)(value, place);
  return checked.phase === "failed" && !checked.failure ? fail(`${place}.failure`) : checked;
};
const options = record({
  model: perhaps(text(200), ""),
  documents: perhaps(list(id, 1000), []),
  rewrite: perhaps(flag, true),
});
const turn = record({
  id,
  parent: (value, place) => (value === "" ? "" : id(value, place)),
  question: text(),
  asked: whole,
  options: perhaps(options, {}),
  answer,
  feedback: perhaps(record({ id: text(80), rating: oneOf(["up", "down", ""]), note: text(4000) }), null),
});

/** A turn follows its parent, so that no circle can be made; none comes twice. */
function conversation(value, place) {
  const fields = {
    id,
    title: text(400),
    created: whole,
    updated: whole,
    options: perhaps(options),
    turns: list(turn, 5000),
  };
  const checked = record(fields)(value, place);
  const known = new Set([""]);
  checked.turns.forEach(({ id: own, parent }, index) => {
    if (!known.has(parent) || known.has(own)) fail(`${place}.turns[${index}]`);
    known.add(own);
  });
  if (!checked.created || !checked.title.trim() || checked.turns.length === 0) fail(place);
  const chosen = Object.entries(value.chosen ?? {}).filter(([parent, child]) => known.has(parent) && known.has(child));
  return { ...checked, chosen: Object.fromEntries(chosen) };
}
