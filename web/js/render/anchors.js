/**
 * Where a stretch of Markdown stands in what was rendered of it.
 *
 * Rendering drops marks, destinations of links and indentation; the words stay, in their order. Each
 * piece of words is an anchor, {text, at}: the same text in both, and where it begins in the Markdown. Pure.
 */

/** Types whose words are not told from marks, or that nobody doubts. */
const SKIPPED = new Set(["citation", "code", "checkbox", "def", "space", "hr", "br"]);
/** What the browser shows as something else: line ends as spaces, entities as their characters. */
const BREAKS = /\n|&#?\w+;/;

/** The anchors of a block: its `tokens`, as the lexer gives them, and its Markdown. `at` is where that begins. */
export function findAnchors(tokens, raw, at = 0) {
  const anchors = [];
  function walk(token, from) {
    const begin = raw.indexOf(token.raw, from);
    const end = begin < 0 ? from : begin + token.raw.length;
    if (SKIPPED.has(token.type)) return end;
    const start = Math.max(begin, from);
    const children = listChildren(token);
    const reached = children ? children.reduce((cursor, child) => walk(child, cursor), start) : take(token, start);
    return Math.max(reached, end);
  }
  function take(token, from) {
    const words = token.type === "escape" || token.type === "codespan" ? token.text : token.raw;
    let cursor = from;
    for (const piece of words.split(BREAKS).map((each) => each.trim())) {
      const found = piece ? raw.indexOf(piece, cursor) : -1;
      if (found < 0) continue;
      anchors.push({ text: piece, at: at + found });
      cursor = found + piece.length;
    }
    return cursor;
  }
  tokens.reduce((cursor, token) => walk(token, cursor), 0);
  return anchors;
}

/**
 * The part of `shown` (the text of what was rendered) that came from `[start, end)` of the Markdown:
 * {from, to}, or null when nothing of it is shown.
 */
export function locate(anchors, shown, { start, end }) {
  let cursor = 0;
  let found = null;
  for (const { text, at } of anchors) {
    const place = shown.indexOf(text, cursor);
    if (place < 0) continue;
    cursor = place + text.length;
    const [first, last] = [Math.max(start - at, 0), Math.min(end - at, text.length)];
    if (first < last) found = { from: found?.from ?? place + first, to: place + last };
  }
  return found;
}

/** What `text` without carriage returns calls these ranges. */
export function dropReturns(text, ranges) {
  if (!text.includes("\r")) return ranges;
  const move = (offset) => text.slice(0, offset).replaceAll("\r", "").length;
  return ranges.map(({ start, end }) => ({ start: move(start), end: move(end) }));
}

function listChildren(token) {
  if (token.type === "table") return [...token.header, ...token.rows.flat()].map(asCell);
  return token.tokens ?? token.items;
}

/** Cells have no Markdown of their own in the lexer's tokens. */
function asCell({ text, tokens }) {
  return { type: "cell", raw: text, tokens };
}
