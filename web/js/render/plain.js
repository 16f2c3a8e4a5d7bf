/** Shows an answer as plain text with its citations, for when the libraries are not installed. */

import { findAnchors } from "./anchors.js";
import { JOINER, splitCitations } from "./citations.js";
import { markDoubts } from "./doubts.js";

/** The same interface as the Markdown view's. */
export function createPlainView(container, { countSources, decorate, makeMark }) {
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  container.append(paragraph);
  function update(text, doubts = []) {
    const parts = splitCitations(text, countSources());
    paragraph.replaceChildren(...parts.flatMap((part) => (part.numbers ? makeCitation(part) : part)));
    decorate([paragraph]);
    if (doubts.length) markDoubts([paragraph], findAnchors(parts.map(toToken), text), doubts, makeMark);
  }
  return { update, finish: update, destroy() {} };
}

function toToken(part) {
  return part.numbers ? { type: "citation", raw: part.raw } : { type: "text", raw: part };
}

function makeCitation({ numbers, unknown }) {
  return [...numbers.map(makeChip), JOINER, ...unknown.map((n) => `[${n}]`)];
}

function makeChip(n) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "chip";
  chip.dataset.cite = String(n);
  chip.textContent = String(n);
  return chip;
}

/** Markdown without its marks, for an excerpt of a line or two. */
export function stripMarkdown(text) {
  return text
    .replace(/<br\s*\/?>/gi, " ")
    .replace(/^[ \t]*(?:#{1,6}[ \t]|>[ \t]?|[-*+][ \t]|\|?[ \t]*:?-{3,}.*$)/gm, "")
    .replace(/\*\*|__|`|~~|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)/g, "")
    .replace(/[ \t]*\|[ \t]*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
