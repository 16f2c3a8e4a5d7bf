/**
 * Reads Markdown no deeper and no longer than an answer needs. What a hostile text nests thousands of times, or
 * writes without a break for pages, would take the browser's whole stack, or its time; from there on it is plain text.
 */

/** Of quotes and lists within each other; a phone has no room for more. */
const MAX_BLOCKS = 10;
/** Of emphasis and links within each other. */
const MAX_MARKS = 20;
/** Characters of one paragraph: finding which mark closes which takes time that grows with their square. */
const MAX_PARAGRAPH = 12_000;

/** The `Lexer` of `marked`, with these limits. */
export function boundLexer(marked) {
  return class extends marked.Lexer {
    #blocks = 0;
    #marks = 0;

    blockTokens(text, tokens = [], ...rest) {
      if (this.#blocks > MAX_BLOCKS) return addText(tokens, text, { tokens: addText([], text) });
      this.#blocks += 1;
      try {
        return super.blockTokens(text, tokens, ...rest);
      } finally {
        this.#blocks -= 1;
      }
    }

    inlineTokens(text, tokens = []) {
      if (this.#marks > MAX_MARKS || text.length > MAX_PARAGRAPH) return addText(tokens, text);
      this.#marks += 1;
      try {
        return super.inlineTokens(text, tokens);
      } finally {
        this.#marks -= 1;
      }
    }
  };
}

function addText(tokens, text, more = {}) {
  tokens.push({ type: "text", raw: text, text, escaped: false, ...more });
  return tokens;
}
