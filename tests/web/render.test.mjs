/** Markdown in pieces: incremental output equals the full parse, and only what is ours is HTML. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as marked from "../../web/node_modules/marked/lib/marked.esm.js";
import { createBlocks } from "../../web/js/render/blocks.js";
import { findCited, splitCitations } from "../../web/js/render/citations.js";
import { createGrammar } from "../../web/js/render/grammar.js";
import { stripMarkdown } from "../../web/js/render/plain.js";

const SPLITS = 150;

const TEXTS = {
  prose: "# Title\n\nA paragraph with **bold** [1]\nand a second line.\n\nAnother [2, 3].\n***\nEnd",
  lists: "Before\n- a\n- b\n  - c\n\n  more of b\n- d\n\n\n1. one\n2. two\n\n   ```js\n   x\n   ```\n3. three\n\nAfter",
  code: "Text\n```python\ndef f():\n    return '[1]'\n\n# not a heading\n```\n~~~\n```\n~~~\n\n    indented\n\n    more\ntail",
  tables:
    "Sums:\n\n| a | b |\n|---|--:|\n| 1 | [2] |\n| 3 | 4 |\nnot a row?\n\n| lone | pipe\n\nsetext\n===\nsetext\n---\n",
  quotes: "> quote\ncontinued lazily\n\n> another\n> - list\n>\n> ```\n> code\n> ```\n\nplain\n> interrupts\n",
  html: "<div>\nblock\n</div>\n\ntext <b>bold</b> a<br>b H<sub>2</sub>O\n\n<!-- a\n\ncomment -->\n\n<script>\nalert(1)\n\n</script>\n\nend",
  early: "[ref]: https://example.org 'T'\n\nSee [ref] and [other][ref].\n\nAgain [ref].",
  unicode: "Ação, coração\u2028e 😀 emoji\r\n\r\n- item\r\n- ítem 2\r\n\r\nfim [1]\r\n",
  hostile:
    "````\n```\n````\n***bold\n\n* * *\n\n-\n\n#\n\n[[1]](x) ![i](y) [a](javascript:alert(1)) `[1]` \\[1\\]\n\n\t tab\n",
};

const makeGrammar = () => createGrammar(marked, () => 3);
const joinHtml = (blocks) => blocks.map(({ html }) => html).join("");

/** A fixed sequence of numbers in [0, 1), so that a failure comes back. */
function makeRandom(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function feed(text, random) {
  const blocks = createBlocks(makeGrammar());
  let end = 0;
  let shown = { finished: [], open: [] };
  let before = [];
  while (end < text.length) {
    end = Math.min(text.length, end + 1 + Math.floor(random() ** 3 * 40));
    shown = blocks.update(text.slice(0, end));
    assert.deepEqual(shown.finished.slice(0, before.length), before, "a finished block changed");
    before = [...shown.finished];
  }
  return { blocks, shown };
}

for (const [name, text] of Object.entries(TEXTS)) {
  test(`incremental equals full, whatever the split: ${name}`, () => {
    const full = createBlocks(makeGrammar()).finish(text);
    for (let seed = 1; seed <= SPLITS; seed += 1) {
      const { shown } = feed(text, makeRandom(seed));
      assert.deepEqual([...shown.finished, ...shown.open], full, `seed ${seed}`);
    }
  });
}

test("all texts in a row, in random order", () => {
  for (let seed = 1; seed <= SPLITS; seed += 1) {
    const random = makeRandom(seed);
    const text = Object.values(TEXTS)
      .filter((each) => each !== TEXTS.early)
      .sort(() => random() - 0.5)
      .join("\n\n");
    const { shown } = feed(text, random);
    assert.deepEqual([...shown.finished, ...shown.open], createBlocks(makeGrammar()).finish(text), `seed ${seed}`);
  }
});

test("finished blocks are not read again", () => {
  const grammar = makeGrammar();
  const read = [];
  const blocks = createBlocks({ ...grammar, lex: (text, links) => (read.push(text), grammar.lex(text, links)) });
  blocks.update("# One\n\nTwo\n\nThree\n");
  read.length = 0;
  blocks.update("# One\n\nTwo\n\nThree\nmore");
  assert.ok(
    read.every((text) => text.startsWith("Three")),
    JSON.stringify(read),
  );
});

test("half a line does not finish a block", () => {
  const blocks = createBlocks(makeGrammar());
  assert.deepEqual(blocks.update("para\n``").finished, []);
  assert.equal(blocks.update("para\n``x`` more").finished.length, 0);
});

test("links that were defined late are found at the end", () => {
  const text = "See [ref].\n\nMore.\n\n[ref]: https://example.org\n";
  const blocks = createBlocks(makeGrammar());
  blocks.update(text.slice(0, 20));
  assert.doesNotMatch(joinHtml(blocks.update(text).finished), /href/);
  assert.match(joinHtml(blocks.finish(text)), /href="https:\/\/example.org"/);
});

const render = (text) => joinHtml(createBlocks(makeGrammar()).finish(text));
const chips = (html) => [...html.matchAll(/data-cite="(\d+)"/g)].map((match) => Number(match[1]));

test("citations become chips, in text only", () => {
  assert.deepEqual(chips(render("a [1], b [1, 2]; **c [3]**")), [1, 1, 2, 3]);
  assert.deepEqual(chips(render("| a |\n|---|\n| x [2] |")), [2]);
  assert.deepEqual(chips(render("a[1][2].")), [1, 2]);
  assert.match(render("a [ 1; 9 ] b"), /data-cite="1">1<\/button>\u2060\[9\] b/);
  assert.deepEqual(chips(render("`[1]`\n\n```\n[1]\n```\n\n    [1]\n")), []);
  assert.deepEqual(chips(render("[4] [0] [7, 9] [1](https://example.org) [see [1]](https://example.org)")), []);
});

test("a numbered list of sources at the end defines no links", () => {
  assert.deepEqual(chips(render("As said [1].\n\n[1]: report.pdf\n")), [1, 1]);
});

test("raw HTML, images and other schemes come out as text", () => {
  const html = render(
    "<img src=x onerror=alert(1)> <b>x</b> ![alt](https://example.org/i.png) [l](javascript:alert(1))",
  );
  assert.doesNotMatch(html, /<(?!\/?p>)/);
  assert.match(html, /alt/);
});

test("plain text is cut at its citations and nothing is lost", () => {
  assert.deepEqual(splitCitations("a [1, 2] b [9]", 3), [
    "a ",
    { raw: "[1, 2]", numbers: [1, 2], unknown: [] },
    " b [9]",
  ]);
  assert.deepEqual(findCited("x [3] y [1] z [3, 1] [7]", 3), [3, 1]);
});

test("an excerpt has the words of the Markdown and not its marks", () => {
  assert.equal(
    stripMarkdown("## Net _sales_\n\n**Up** 3 * 4 in snake_case\n- item"),
    "Net sales Up 3 * 4 in snake_case item",
  );
  assert.equal(stripMarkdown("|a|b|\n|---|--:|\n|1<br>2|3|"), "a b 1 2 3");
});

const MANY = 10_000;
for (const [name, text] of Object.entries({
  quotes: `${"> ".repeat(MANY)}x`,
  lists: `${"1. - ".repeat(MANY)}x`,
  emphasis: `${"*".repeat(MANY)}x${"*".repeat(MANY)}`,
})) {
  test(`what is nested without end is shown as it is from some depth on: ${name}`, () => {
    const html = render(text);
    const count = (html.match(/<(?:blockquote|ul|ol|strong|em)\b/g) ?? []).length;
    assert.ok(count < 50, String(count));
    assert.match(html, /x/);
  });
}

test("a paragraph without end is plain text", () => {
  assert.match(render(`${"a__b__".repeat(MANY)} **x**`), /a__b__ \*\*x\*\*/);
  assert.match(render(`${"word ".repeat(MANY / 5)} **x**`), /<strong>x/);
});

test("what is nested as deep as in real documents keeps its shape", () => {
  const html = render(Array.from({ length: 9 }, (_, depth) => `${"  ".repeat(depth)}- **level ${depth}** [1]`).join("\n"));
  assert.equal(html.match(/<ul>/g).length, 9);
  assert.equal(chips(html).length, 9);
});
