/** The passages under an answer: those it cites first, those merely found apart. */

import { formatNumber, t } from "../i18n/index.js";
import { placeOf } from "../place.js";
import { findCited } from "../render/citations.js";
import { stripMarkdown } from "../render/plain.js";
import { isOver } from "../store.js";
import { h } from "./dom.js";

/** @param {(n: number, opener: HTMLElement) => void} open */
export function createSources(open) {
  const element = h("section", { class: "sources", hidden: true });
  return {
    element,
    /** Draw the sources of `answer` as it stands. */
    show(answer) {
      element.hidden = answer.sources.length === 0;
      element.replaceChildren(
        ...(isOver(answer) ? showCited(answer, open) : [showFound(answer.sources, "sources.found", open)]),
      );
    },
  };
}

function showCited(answer, open) {
  const { sources, summary, text } = answer;
  // The server checks the citations of a whole answer; for a part of one, the text itself must do.
  const numbers = summary ? summary.citations : findCited(text, sources.length);
  const cited = numbers.map((n) => sources.find((source) => source.n === n)).filter(Boolean);
  const rest = sources.filter((source) => !cited.includes(source));
  return [
    ...(cited.length ? [h("h3", { class: "small-title" }, t("sources.cited")), list(cited, open, true)] : []),
    ...(rest.length ? [showFound(rest, cited.length ? "sources.rest" : "sources.found", open)] : []),
  ];
}

function showFound(sources, key, open) {
  return h("details", { class: "found" }, h("summary", {}, t(key, { n: sources.length })), list(sources, open, false));
}

function list(sources, open, cited) {
  return h(
    "ol",
    { class: "source-list" },
    sources.map((source) => h("li", {}, card(source, open, cited), createScore(source))),
  );
}

function card(source, open, cited) {
  return h(
    "button",
    {
      type: "button",
      class: cited ? "source cited" : "source",
      onclick: (event) => open(source.n, event.currentTarget),
    },
    h("span", { class: "number" }, String(source.n)),
    h(
      "span",
      { class: "where" },
      h("span", { class: "name" }, source.name),
      h("span", { class: "page" }, placeOf(source)),
    ),
    h("span", { class: "excerpt" }, stripMarkdown(source.text)),
  );
}

/** A number that explains itself: a button of its own, because nothing can be pressed inside another. */
function createScore({ n, score }) {
  if (typeof score !== "number") return null;
  const words = formatNumber(score, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const label = t("sources.score", { score: words });
  return h("button", { type: "button", class: "score", "data-cite": n, "aria-label": label }, words);
}
