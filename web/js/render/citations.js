/** Finds the citations in an answer: `[1]` and `[1, 2]`, numbers of sources that exist. */

const LIST = String.raw`\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]`;
/** Keeps what follows a chip, such as the end of its sentence, on the same line. */
export const JOINER = "\u2060";

const AT_START = new RegExp(`^${LIST}`);
const ANYWHERE = new RegExp(LIST, "g");

/**
 * The citation that `text` starts with, or null: {raw, numbers, unknown}. `count` is how many sources
 * exist; `unknown` are numbers beyond it, which stay text.
 */
export function matchCitation(text, count) {
  const match = AT_START.exec(text);
  if (!match) return null;
  const all = match[1].split(/[,;]/).map(Number);
  const numbers = all.filter((n) => n >= 1 && n <= count);
  if (numbers.length === 0) return null;
  return { raw: match[0], numbers, unknown: all.filter((n) => !numbers.includes(n)) };
}

/** Plain text cut into strings and citations, in order. */
export function splitCitations(text, count) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(ANYWHERE)) {
    const citation = matchCitation(match[0], count);
    if (!citation) continue;
    parts.push(text.slice(end, match.index), citation);
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

/** The numbers of the sources that `text` cites, each once, in the order of their first mention. */
export function findCited(text, count) {
  const cited = splitCitations(text, count).flatMap((part) => part.numbers ?? []);
  return [...new Set(cited)];
}
