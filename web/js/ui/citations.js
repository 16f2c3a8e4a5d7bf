/** What stands in an answer's text besides its words: citations, and marks where the sources say nothing. */

import { formatNumber, t } from "../i18n/index.js";
import { placeOf } from "../place.js";
import { stripMarkdown } from "../render/plain.js";
import { h } from "./dom.js";
import { attachCard } from "./hover-card.js";

const EXCERPT_CHARS = 420;
/** The ways of searching that have a name in the page's languages. */
const PARTS = ["words", "grams", "vector", "page_words", "page_grams", "heads", "title", "rerank"];

/** Give the chips below `nodes` the name of the source that they stand for. */
export function labelChips(nodes, sources) {
  const labels = new Map();
  for (const chip of nodes.flatMap(findChips)) {
    const { cite } = chip.dataset;
    if (!labels.has(cite)) labels.set(cite, nameSource(findSource(sources, chip)));
    if (labels.get(cite)) chip.setAttribute("aria-label", labels.get(cite));
  }
}

/** Call `open(n, chip)` when a click was on a chip. */
export function onChipClick(event, open) {
  const chip = event.target.closest?.("button[data-cite]");
  if (chip) open(Number(chip.dataset.cite), chip);
}

/** The mark behind a sentence that was not found in its sources. */
export function createDoubtMark() {
  return h("button", { type: "button", class: "doubt", "aria-label": t("checks.mark") }, "?");
}

/** Chips below `root` show their passage, scores their parts, and marks what they mean. */
export function explainMarks(root, readSources) {
  const describe = (anchor, byTouch) => {
    if (anchor.matches(".doubt")) return [h("strong", {}, t("checks.mark")), h("p", {}, t("checks.why"))];
    const source = findSource(readSources(), anchor);
    if (!source) return [];
    return anchor.matches(".score") ? describeParts(source) : describePassage(source, byTouch);
  };
  attachCard(root, ".chip[data-cite], .doubt, .score[data-cite]", describe, (anchor) => anchor.matches(".chip"));
}

function describePassage(source, byTouch) {
  const text = stripMarkdown(source.text);
  return [
    h(
      "p",
      { class: "card-where" },
      h("span", { class: "number" }, String(source.n)),
      h("span", { class: "name" }, source.name),
      h("span", { class: "page" }, placeOf(source)),
    ),
    h("p", {}, text.length > EXCERPT_CHARS ? `${text.slice(0, EXCERPT_CHARS).trimEnd()}…` : text),
    byTouch && h("p", { class: "card-hint" }, t("sources.tap")),
  ].filter(Boolean);
}

function describeParts({ score, parts = {} }) {
  const format = (value) => formatNumber(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const rows = Object.entries(parts)
    .filter(([view]) => PARTS.includes(view))
    .sort(([, a], [, b]) => b - a)
    .flatMap(([view, part]) => [h("dt", {}, t(`part.${view}`)), h("dd", {}, format(part))]);
  return [
    h("strong", {}, t("sources.score", { score: format(score) })),
    h("p", {}, t("sources.parts")),
    h("dl", { class: "parts" }, rows),
  ];
}

function nameSource(source) {
  return source ? t("sources.cite", { ...source, place: placeOf(source) }) : "";
}

function findSource(sources, element) {
  return sources.find(({ n }) => n === Number(element.dataset.cite));
}

function findChips(node) {
  return node.querySelectorAll ? [...node.querySelectorAll("button[data-cite]")] : [];
}
