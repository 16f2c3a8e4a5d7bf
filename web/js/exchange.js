/** Conversations as files: Markdown to read, JSON to keep and to bring back. Pure; text in, text out. */

import { placeOf } from "./place.js";
import { findCited } from "./render/citations.js";
import { checkFile } from "./shapes.js";
import { makeTitle } from "./titles.js";
import { findBranch } from "./tree.js";

const FORMAT = "acervo-conversations";

/** Conversations with their turns, as a file that `readJson` takes. */
export function writeJson(conversations) {
  return `${JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 1)}\n`;
}

/**
 * The conversations of such a file, holding nothing that was not asked for. Throws `TypeError`, whose message
 * names the place that is wrong, for everything else.
 */
export function readJson(text) {
  return checkFile(JSON.parse(text), FORMAT).conversations;
}

/**
 * The shown branch of each conversation as Markdown.
 * @param {(key: string, values?: object) => string} t the words of the page's language
 */
export function writeMarkdown(conversations, t) {
  return `${conversations.map((one) => writeOne(one, t)).join("\n\n---\n\n")}\n`;
}

function writeOne({ title, turns, chosen }, t) {
  const parts = findBranch(turns, chosen).map((turn) => writeTurn(turn, t));
  return [`# ${escape(title)}`, ...parts].join("\n\n");
}

function writeTurn({ question, answer }, t) {
  const heading = makeTitle(question);
  const whole = heading === question ? [] : [question.replace(/^/gm, "> ")];
  const note = { stopped: "answer.stopped", interrupted: "answer.interrupted", failed: "error.incomplete" }[
    answer.phase
  ];
  return [
    `## ${escape(heading)}`,
    ...whole,
    ...(answer.text ? [answer.text.trim()] : []),
    ...(note ? [`*${t(note)}*`] : []),
    ...writeSources(answer, t),
  ].join("\n\n");
}

/** The cited sources; each names its document and page. */
function writeSources({ sources, summary, text }, t) {
  const numbers = summary?.citations ?? findCited(text, sources.length);
  const cited = sources.filter(({ n }) => numbers.includes(n));
  if (cited.length === 0) return [];
  const lines = cited.map((source) => `- [${source.n}] ${escape(source.name)}, ${placeOf(source, t)}`);
  return [`**${t("sources.cited")}**`, lines.join("\n")];
}

function escape(text) {
  return text.replace(/\s+/g, " ").replace(/[\\`*_[\]<>#|]/g, "\\$&");
}
