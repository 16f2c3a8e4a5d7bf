/**
 * Shows an answer as Markdown while it arrives. HTML becomes nodes in one place only: here, by
 * DOMPurify, with a short list of what may stay.
 */

import { dropReturns, findAnchors } from "./anchors.js";
import { createBlocks } from "./blocks.js";
import { markDoubts } from "./doubts.js";
import { createGrammar } from "./grammar.js";
import { highlightCode } from "./highlight.js";
import { patchNodes } from "./patch.js";
import { createPlainView } from "./plain.js";

const REDRAW_MS = 50;
/** A long table or list takes its time: so many times as long nothing is drawn again. */
const REST = 4;

const ALLOWED = {
  ALLOWED_TAGS:
    "p br hr h3 h4 h5 h6 ul ol li blockquote pre code span strong em del sub sup a button table thead tbody tr th td".split(
      " ",
    ),
  ALLOWED_ATTR: ["href", "target", "rel", "type", "class", "tabindex", "start", "align", "data-cite"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

let libraries;

/** Load the libraries once; resolves to null when they are not installed. */
export function loadLibraries() {
  libraries ??= Promise.all([import("/lib/marked.js"), import("/lib/dompurify.js")]).then(
    // DOMPurify's small build is no module: it leaves itself under its name.
    ([marked]) => ({ marked, purifier: globalThis.DOMPurify }),
    () => null,
  );
  return libraries;
}

/**
 * A view that fills `container`: `update(text, doubts)` with the whole text so far, at any rate;
 * `finish(text, doubts)` with the complete one; `destroy()`. `doubts` are the ranges of the text, {start, end},
 * that are to be marked. `decorate(nodes)` sees each new piece before it is shown; `makeMark()` makes a mark.
 * @param {{marked: object, purifier: object} | null} libraries null gives the plain view
 */
export function createAnswerView(libraries, container, hooks) {
  if (!libraries) return createPlainView(container, hooks);
  const grammar = createGrammar(libraries.marked, hooks.countSources);
  const blocks = createBlocks(grammar);
  const draw = createPainter(container, (block, doubts) => {
    const nodes = [...toNodes(libraries.purifier, block.html).childNodes];
    hooks.decorate(nodes);
    if (doubts.length === 0) return nodes;
    markDoubts(nodes, findAnchors(grammar.lex(block.raw), block.raw, block.at), doubts, hooks.makeMark);
    return nodes;
  });
  const pacer = createPacer(({ text, doubts }) => {
    const { finished, open } = blocks.update(text);
    draw([...finished, ...open], dropReturns(text, doubts));
  });
  return {
    update: (text, doubts = []) => pacer.request({ text, doubts }),
    finish(text, doubts = []) {
      pacer.cancel();
      draw(blocks.finish(text), dropReturns(text, doubts));
      for (const code of container.querySelectorAll("pre > code[class]")) highlightCode(code);
    },
    destroy: pacer.cancel,
  };
}

/** Changes only the blocks whose HTML or doubts differ from what stands there. */
function createPainter(container, makeNodes) {
  let drawn = [];
  return (blocks, doubts) => {
    for (const node of drawn.splice(blocks.length).flatMap(({ nodes }) => nodes)) node.remove();
    drawn = blocks.map((block, index) => {
      const own = doubts.filter(({ start, end }) => start < block.at + block.raw.length && end > block.at);
      const key = block.html + own.map(({ start, end }) => `|${start}-${end}`).join("");
      const known = drawn[index];
      if (known?.key === key) return known;
      const next = drawn.slice(index + 1).flatMap(({ nodes }) => nodes)[0] ?? null;
      return { key, nodes: patchNodes(container, known?.nodes ?? [], makeNodes(block, own), next) };
    });
  };
}

/** Calls `draw` with the newest state, the first time at once and then at most every REDRAW_MS, less often if it is slow. */
function createPacer(draw) {
  let timer = 0;
  let waiting = null;
  function fire() {
    timer = 0;
    if (waiting === null) return;
    const newest = waiting;
    waiting = null;
    const begun = performance.now();
    draw(newest);
    timer = setTimeout(fire, Math.max(REDRAW_MS, REST * (performance.now() - begun)));
  }
  return {
    request(newest) {
      waiting = newest;
      if (!timer) fire();
    },
    cancel() {
      clearTimeout(timer);
      waiting = null;
    },
  };
}

function toNodes(purifier, html) {
  const fragment = purifier.sanitize(html, ALLOWED);
  for (const table of fragment.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table";
    frame.tabIndex = 0;
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}
