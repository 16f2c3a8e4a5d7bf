/**
 * Shows an answer as Markdown while it arrives. HTML becomes nodes in one place only: here, by
 * DOMPurify, with a short list of what may stay.
 */

import { createBlocks } from "./blocks.js";
import { createGrammar } from "./grammar.js";
import { highlightCode } from "./highlight.js";
import { createPlainView } from "./plain.js";

const REDRAW_MS = 50;

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
 * A view that fills `container`: `update(text)` with the whole text so far, at any rate;
 * `finish(text)` with the complete one; `destroy()`. `decorate(nodes)` sees each new piece.
 * @param {{marked: object, purifier: object} | null} libraries null gives the plain view
 */
export function createAnswerView(libraries, container, { countSources, decorate }) {
  if (!libraries) return createPlainView(container, { countSources, decorate });
  const blocks = createBlocks(createGrammar(libraries.marked, countSources));
  const draw = createPainter(container, (html) => toNodes(libraries.purifier, html), decorate);
  const pacer = createPacer((text) => {
    const { finished, open } = blocks.update(text);
    draw(finished, open);
  });
  return {
    update: pacer.request,
    finish(text) {
      pacer.cancel();
      draw(blocks.finish(text), []);
      for (const code of container.querySelectorAll("pre > code[class]")) {
        void highlightCode(code, (html) => toNodes(libraries.purifier, html));
      }
    },
    destroy: pacer.cancel,
  };
}

/** Replaces only the blocks whose HTML differs from what stands there. */
function createPainter(container, makeNodes, decorate) {
  let drawn = [];
  return (finished, open) => {
    const wanted = [...finished, ...open];
    let same = 0;
    while (same < drawn.length && same < wanted.length && drawn[same].html === wanted[same]) same += 1;
    for (const block of drawn.slice(same)) for (const node of block.nodes) node.remove();
    const added = wanted.slice(same).map((html) => ({ html, nodes: [...makeNodes(html).childNodes] }));
    for (const block of added) container.append(...block.nodes);
    drawn = [...drawn.slice(0, same), ...added];
    if (added.length) decorate(added.flatMap((block) => block.nodes));
  };
}

/** Calls `draw` with the newest text, the first time at once and then at most every REDRAW_MS. */
function createPacer(draw) {
  let timer = 0;
  let waiting = null;
  function fire() {
    timer = 0;
    if (waiting === null) return;
    const text = waiting;
    waiting = null;
    draw(text);
    timer = setTimeout(fire, REDRAW_MS);
  }
  return {
    request(text) {
      waiting = text;
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
