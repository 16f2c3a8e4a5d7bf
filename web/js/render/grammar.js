/**
 * The Markdown that answers are read as: GitHub's, with citations, and with raw HTML and images
 * shown as the text they are. Takes the `marked` module as an argument, so that it runs in tests.
 */

import { JOINER, matchCitation } from "./citations.js";
import { boundLexer } from "./lexer.js";

const HARMLESS_TAG = /^<(?:br\s*\/?|\/?su[bp])>$/i;
const HEADING_SHIFT = 2;

/**
 * @param {object} marked the module
 * @param {() => number} countSources how many sources exist, asked at each citation
 * @returns {{lex: (text: string, links?: object) => object[], render: (token: object) => string}}
 *   `lex` gives top-level tokens (with `links`, the reference links known); `render` gives HTML
 *   that still has to be sanitised.
 */
export function createGrammar(marked, countSources) {
  const parser = new marked.Marked({ gfm: true, async: false });
  const Lexer = boundLexer(marked);
  parser.use({ extensions: [citation(countSources)], renderer, tokenizer: { def: refuseNumbers } });
  return {
    lex(text, links = {}) {
      const lexer = new Lexer(parser.defaults);
      Object.assign(lexer.tokens.links, links);
      return lexer.lex(text);
    },
    render: (token) => parser.parser([token], parser.defaults),
  };
}

/** Text as HTML. */
export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function citation(countSources) {
  return {
    name: "citation",
    level: "inline",
    start: (text) => text.match(/\[\s*\d/)?.index,
    tokenizer(text) {
      const found = matchCitation(text, countSources());
      // `[1](…)` is an ordinary link, and a button cannot stand inside one.
      if (!found || text[found.raw.length] === "(" || this.lexer.state.inLink) return undefined;
      return { type: "citation", ...found };
    },
    renderer: ({ numbers, unknown }) =>
      [...numbers.map(renderChip), JOINER, ...unknown.map((n) => `[${n}]`)].join(""),
  };
}

function renderChip(n) {
  return `<button type="button" class="chip" data-cite="${n}">${n}</button>`;
}

/** A model that closes with "[1]: report.pdf" names a source; it does not define a link. */
function refuseNumbers(text) {
  return /^ {0,3}\[\d+\]:/.test(text) ? undefined : false;
}

const renderer = {
  html: (token) => {
    if (!token.block && HARMLESS_TAG.test(token.text)) return token.text;
    return token.block ? `<p>${escapeHtml(token.text.trim())}</p>` : escapeHtml(token.text);
  },
  image: (token) => escapeHtml(token.text || token.href),
  checkbox: (token) => (token.checked ? "☑ " : "☐ "),
  heading(token) {
    const level = Math.min(token.depth + HEADING_SHIFT, 6);
    return `<h${level}>${this.parser.parseInline(token.tokens)}</h${level}>`;
  },
  link(token) {
    const inside = this.parser.parseInline(token.tokens);
    if (!/^(?:https?|mailto):/i.test(token.href)) return inside;
    return `<a href="${escapeHtml(token.href)}" target="_blank" rel="noopener noreferrer">${inside}</a>`;
  },
  code(token) {
    const language = /^[\w+#-]+/.exec(token.lang ?? "")?.[0] ?? "";
    const name = language ? ` class="language-${language.toLowerCase()}"` : "";
    return `<pre tabindex="0"><code${name}>${escapeHtml(token.text)}\n</code></pre>`;
  },
};
