/**
 * Markdown that arrives in pieces → the HTML of its top-level blocks.
 *
 * Blocks that no later text can change are final and rendered once; only what follows them is read
 * again. Whether a block is finished is decided on complete lines: half a line can look like a code
 * fence. `finish` reads the whole text once more, for links that were defined late.
 */

/**
 * @param {ReturnType<import("./grammar.js").createGrammar>} grammar
 */
export function createBlocks(grammar) {
  const links = {};
  let finished = [];
  let length = 0;

  function settle(text) {
    const tokens = grammar.lex(text.slice(length, text.lastIndexOf("\n") + 1), links);
    const open = tokens.findLastIndex((token) => token.type !== "space");
    for (const token of tokens.slice(0, Math.max(open, 0))) {
      length += token.raw.length;
      remember(token);
      finished.push(...renderAll(grammar, [token]));
    }
  }

  function remember(token) {
    if (token.type === "def") links[token.tag] ??= { href: token.href, title: token.title };
  }

  return {
    /** Take the whole text so far. `finished` only grows; `open` may change at the next call. */
    update(text) {
      const clean = normalise(text);
      if (clean.lastIndexOf("\n") >= length) settle(clean);
      return { finished, open: renderAll(grammar, grammar.lex(clean.slice(length), links)) };
    },
    /** The blocks of the complete text. */
    finish(text) {
      finished = renderAll(grammar, grammar.lex(normalise(text)));
      return finished;
    },
  };
}

/** HTML of each token that shows something. */
function renderAll(grammar, tokens) {
  return tokens.map(grammar.render).filter((html) => html.trim() !== "");
}

/** A carriage return may come apart from its line feed; tabs are counted by the lexer itself. */
function normalise(text) {
  return text.replaceAll("\r", "");
}
