/**
 * Markdown that arrives in pieces → its top-level blocks, each {html, raw, at}: its HTML, its Markdown, and
 * where that begins in the text without carriage returns.
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
      finished.push(...renderAll(grammar, [token], length));
      length += token.raw.length;
      remember(token);
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
      return { finished, open: renderAll(grammar, grammar.lex(clean.slice(length), links), length) };
    },
    /** The blocks of the complete text. */
    finish(text) {
      finished = renderAll(grammar, grammar.lex(normalise(text)), 0);
      return finished;
    },
  };
}

/** The blocks of the tokens that show something; the first one begins at `at`. */
function renderAll(grammar, tokens, at) {
  const blocks = [];
  for (const token of tokens) {
    const html = grammar.render(token);
    if (html.trim() !== "") blocks.push({ html, raw: token.raw, at });
    at += token.raw.length;
  }
  return blocks;
}

/** A carriage return may come apart from its line feed; tabs are counted by the lexer itself. */
function normalise(text) {
  return text.replaceAll("\r", "");
}
