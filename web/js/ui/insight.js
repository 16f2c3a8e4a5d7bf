/** The fold-out under an answer: what was searched, what the model was given, how long it took, and where. */

import { formatNumber, isolate, t } from "../i18n/index.js";
import { placeOf } from "../place.js";
import { findCited } from "../render/citations.js";
import { isOver } from "../store.js";
import { h } from "./dom.js";

const QUOTING = "extractive";
const COLUMNS = ["insight.n", "insight.document", "insight.score", "insight.fate"];

/** @param {{conversation: object}} page */
export function createInsight(page, turn) {
  const body = h("div", { class: "insight-body" });
  const title = h("summary", {}, t("insight.title"));
  const element = h("details", { class: "insight", hidden: true, ontoggle }, title, body);

  function fill() {
    body.replaceChildren(...(element.open ? describe(page, turn) : []));
  }
  function ontoggle() {
    fill();
    if (element.open) element.scrollIntoView({ block: "nearest" });
  }
  return {
    element,
    /** Follow `answer`; what is folded is not drawn. */
    show(answer) {
      element.hidden = !isOver(answer) || (answer.sources.length === 0 && !answer.summary);
      fill();
    },
  };
}

function describe(page, turn) {
  const answer = turn.answer.value;
  const { summary } = answer;
  return [
    h(
      "dl",
      { class: "seen" },
      fact("insight.searched", describeQuery(page, turn)),
      summary && fact("insight.model", describeModel(summary)),
      summary?.window > 0 && summary.tokensRead > 0 && fact("insight.prompt", createMeter(summary)),
      summary && fact("insight.time", describeTime(summary)),
      answer.checks?.length > 0 && fact("insight.checks", describeChecks(answer.checks)),
      fact("insight.passages", createTable(answer)),
    ),
  ];
}

function fact(key, ...content) {
  return [h("dt", {}, t(key)), h("dd", {}, ...content)];
}

function describeQuery(page, turn) {
  const { query, rewrittenBy } = turn.answer.value;
  const words = h("p", {}, `“${isolate(query || turn.question)}”`);
  if (!rewrittenBy) return [words];
  const again = () => page.conversation.edit(turn, turn.question, { rewrite: false });
  return [
    words,
    h("p", { class: "aside" }, t(`insight.rewritten.${rewrittenBy}`)),
    h("button", { type: "button", class: "action", onclick: again }, t("insight.unrewritten")),
  ];
}

/** Who answered and every service that took part, each with its place. */
function describeModel({ model, services, fallback = [] }) {
  const places = services.map(({ name, host, local }) =>
    h("li", { class: local ? "" : "remote" }, t(local ? "insight.local" : "insight.remote", { name, host })),
  );
  const remote = services.some(({ local }) => !local);
  return [
    h("p", {}, model === QUOTING ? t("answer.quoted") : model),
    ...fallback.map((passed) => h("p", { class: "aside" }, t("insight.passed", passed))),
    services.length > 0 && !remote && h("p", { class: "aside" }, t("answer.local")),
    h("ul", { class: "plain-list aside" }, places),
  ];
}

/** How much of the window the prompt takes. */
function createMeter({ tokensRead, window }) {
  const share = Math.min(tokensRead / window, 1);
  const percent = formatNumber(share, { style: "percent", maximumFractionDigits: 0 });
  const words = t("insight.tokens", { read: tokensRead, window, percent });
  const fill = h("span", {});
  fill.style.width = `${Math.max(share * 100, 1)}%`;
  const named = { "aria-label": t("insight.prompt"), "aria-valuetext": words };
  const range = { "aria-valuemin": 0, "aria-valuemax": window, "aria-valuenow": Math.min(tokensRead, window) };
  return [h("div", { class: "meter", role: "meter", ...named, ...range }, fill), h("p", {}, words)];
}

function describeTime(summary) {
  const { searching, rewriting, firstToken, tokensWritten, tokensPerSecond } = summary;
  const quoted = summary.model === QUOTING;
  const parts = [
    rewriting > 0.001 && t("insight.rewriting", { time: formatTime(rewriting) }),
    searching > 0 && t("insight.searching", { time: formatTime(searching) }),
    firstToken > 0 && t("insight.firstToken", { time: formatTime(firstToken) }),
    !quoted && tokensWritten > 0 && t("insight.written", { n: tokensWritten }),
    !quoted && tokensPerSecond > 0 && t("answer.speed", { speed: formatSpeed(tokensPerSecond) }),
  ].filter(Boolean);
  return h("ul", { class: "plain-list" }, parts.map((part) => h("li", {}, part)));
}

function describeChecks(checks) {
  const doubted = checks.filter(({ supported }) => !supported).length;
  const found = doubted ? t("insight.doubted", { n: doubted }) : t("insight.undoubted");
  return `${t("insight.checked", { n: checks.length })} ${found}`;
}

/** Each passage that was found, what it scored, and what became of it. */
function createTable({ sources, summary, text }) {
  const cited = summary ? summary.citations : findCited(text, sources.length);
  const used = sources.map((source) => row(source, cited.includes(source.n) ? "insight.fate.cited" : "insight.fate.used"));
  const left = (summary?.passagesLeftOut ?? []).map((passage) => row(passage, "insight.fate.leftOut"));
  const heads = COLUMNS.map((key) => h("th", { scope: "col" }, t(key)));
  const table = h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, used, left));
  return h("div", { class: "table", tabindex: 0 }, table);
}

function row({ n, name, page, unit, score }, fate) {
  const words = typeof score === "number" ? formatScore(score) : "";
  return h(
    "tr",
    { class: fate.split(".").at(-1) },
    h("td", {}, n ? String(n) : "–"),
    h("td", {}, `${isolate(name)}, ${placeOf({ page, unit })}`),
    h("td", {}, words),
    h("td", {}, t(fate)),
  );
}

function formatScore(score) {
  return formatNumber(score, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** Seconds, or milliseconds below one. */
function formatTime(seconds) {
  const [value, unit] = seconds < 1 ? [seconds * 1000, "millisecond"] : [seconds, "second"];
  const maximumFractionDigits = seconds >= 1 && seconds < 10 ? 1 : 0;
  return formatNumber(value, { style: "unit", unit, maximumFractionDigits });
}

/** Tokens a second, as the small print and the fold-out write them. */
export function formatSpeed(speed) {
  return formatNumber(speed, { maximumFractionDigits: speed < 10 ? 1 : 0 });
}
