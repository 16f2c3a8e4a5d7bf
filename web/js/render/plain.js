/** Shows an answer as plain text with its citations, for when the libraries are not installed. */

import { splitCitations } from "./citations.js";

/** The same interface as the Markdown view's. */
export function createPlainView(container, { countSources, decorate }) {
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  container.append(paragraph);
  function update(text) {
    const parts = splitCitations(text, countSources());
    paragraph.replaceChildren(...parts.flatMap((part) => part.numbers?.map(makeChip) ?? part));
    decorate([paragraph]);
  }
  return { update, finish: update, destroy() {} };
}

function makeChip(n) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "chip";
  chip.dataset.cite = String(n);
  chip.textContent = String(n);
  return chip;
}
