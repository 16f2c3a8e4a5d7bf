/** Marks the sentences of an answer that the server did not find in their sources. */

import { locate } from "./anchors.js";
import { JOINER } from "./citations.js";

/**
 * Underline what came from `ranges` of the Markdown in `nodes`, and put a mark of `makeMark` behind each.
 * @param {Node[]} nodes a rendered block, in no document yet
 * @param {{text: string, at: number}[]} anchors of that block
 * @param {{start: number, end: number}[]} ranges
 * @param {() => HTMLElement} makeMark
 */
export function markDoubts(nodes, anchors, ranges, makeMark) {
  const shown = listTexts(nodes)
    .map((node) => node.data)
    .join("");
  for (const range of ranges) {
    const place = locate(anchors, shown, range);
    const last = place && underline(listTexts(nodes), place);
    if (last) findEnd(last).after(JOINER, makeMark());
  }
}

/** Wrap `[from, to)` of the texts in a row; the last element that this makes. */
function underline(texts, { from, to }) {
  let offset = 0;
  let last = null;
  for (const node of texts) {
    const [first, end] = [Math.max(from - offset, 0), Math.min(to - offset, node.length)];
    offset += node.length;
    if (first < end && node.data.slice(first, end).trim()) last = wrap(node, first, end);
  }
  return last;
}

function wrap(node, first, end) {
  const part = node.splitText(first);
  part.splitText(end - first);
  const span = document.createElement("span");
  span.className = "doubted";
  part.replaceWith(span);
  span.append(part);
  return span;
}

/** Behind the citations of the sentence, and outside of a link or code: nothing can be pressed inside those. */
function findEnd(last) {
  let end = last.closest("a, code") ?? last;
  while (end.nextSibling?.classList?.contains("chip") || end.nextSibling?.data === JOINER) end = end.nextSibling;
  return end;
}

/** The texts of `nodes` in their order; numbers of citations and marks are none. */
function listTexts(nodes) {
  return nodes.flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data === JOINER ? [] : [node];
    return node.localName === "button" ? [] : listTexts([...node.childNodes]);
  });
}
