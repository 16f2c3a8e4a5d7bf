/** Sentences of the raw answer are found again in what was rendered of it; code is cut for its colours. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as marked from "../../web/node_modules/marked/lib/marked.esm.js";
import { dropReturns, findAnchors, locate } from "../../web/js/render/anchors.js";
import { JOINER } from "../../web/js/render/citations.js";
import { createBlocks } from "../../web/js/render/blocks.js";
import { createGrammar } from "../../web/js/render/grammar.js";
import { colour } from "../../web/js/render/highlight.js";

const grammar = createGrammar(marked, () => 3);
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"' };

/** The text that a browser has for this HTML, numbers of citations left out. */
function readText(html) {
  return html
    .replace(/<button.*?<\/button>|<[^>]*>/g, "")
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
    .replace(/&\w+;/g, (name) => ENTITIES[name] ?? name);
}

/** What is shown of `sentence` of `text`, for each block that shows a part of it. */
function findShown(text, sentence) {
  const start = text.indexOf(sentence);
  const range = dropReturns(text, [{ start, end: start + sentence.length }])[0];
  return createBlocks(grammar)
    .finish(text)
    .flatMap(({ html, raw, at }) => {
      const shown = readText(html);
      const place = locate(findAnchors(grammar.lex(raw), raw, at), shown, range);
      return place ? [shown.slice(place.from, place.to)] : [];
    });
}

const CASES = {
  "in a paragraph": ["First is 1. Second is 2 [1]. Third.", "Second is 2 [1].", ["Second is 2 ."]],
  "said twice": ["It is 5. No. It is 5.", "No. It is 5.", ["No. It is 5."]],
  "across bold and code": ["A **b is 5, `c_d` and *e*** [2]. F.", "A **b is 5, `c_d` and *e*** [2].", ["A b is 5, c_d and e ."]],
  "across a link": ["See [is 5](https://is.5/is 'x') is 5. Is 5.", "See [is 5](https://is.5/is 'x') is 5.", ["See is 5 is 5."]],
  "behind a link with the same words": ["[is 5](https://e.org/is5) and is 5. Is 5 so.", "Is 5 so.", ["Is 5 so."]],
  "in a list": ["Intro.\n\n- one is 1\n- two\n  is 2 [1].\n  - three is 3.\n- four", "two\n  is 2 [1].", ["two\nis 2 ."]],
  "in a nested list": ["- a\n\n  1. b is 1.\n  2. b is 2.\n", "b is 2.", ["b is 2."]],
  "in a quote": ["> He said\n> it is 7. She\n> did not.", "He said\n> it is 7.", ["He said\nit is 7."]],
  "in a cell": ["| a | b |\n|---|---|\n| is 1 | is **2** [1] |\n| is 1 | is 3 |\n", "is **2**", ["is 2"]],
  "a row": ["| a | b |\n|---|---|\n| is 1 | is **2** [1] |\n", "is 1 | is **2** [1]", ["is 1\nis 2"]],
  "with entities and escapes": ["A &amp; B is 5 &lt; 6\\*. C.", "A &amp; B is 5 &lt; 6\\*.", ["A & B is 5 < 6*."]],
  "with HTML as text": ["A <b>is</b> 5. C<br>D.", "A <b>is</b> 5.", ["A <b>is</b> 5."]],
  "behind carriage returns": ["One\r\n\r\nTwo is 2.\r\nThree is 3.", "Three is 3.", ["Three is 3."]],
  "behind other characters": ["😀 Ação é 5. Não é 6. Fim.", "Não é 6.", ["Não é 6."]],
  "behind code": ["```\nis 5.\n```\n\nis 5. So.", "is 5. So.", ["is 5. So."]],
};

for (const [name, [text, sentence, wanted]] of Object.entries(CASES)) {
  test(`a sentence is found again: ${name}`, () => {
    const shown = findShown(text, sentence).map((each) => each.replace(/\n+/g, "\n").replaceAll(JOINER, ""));
    assert.deepEqual(shown, wanted);
  });
}

test("a sentence that is not shown is nowhere", () => {
  assert.deepEqual(findShown("[a]: https://is5.org\n\nText.", "is5"), []);
  assert.equal(locate([{ text: "abc", at: 0 }], "xyz", { start: 0, end: 3 }), null);
});

test("code is cut into comments, texts, numbers and words; nothing is lost", () => {
  const source = "def f(n):  # it's\n    return 'a\\'b' + \"c\" if n > 10 else xdef\n";
  const parts = colour(source, "python");
  assert.equal(parts.map(([text]) => text).join(""), source);
  assert.deepEqual(
    parts.filter(([, kind]) => kind).map(([text, kind]) => `${kind} ${text}`),
    ["word def", "comment # it's", "word return", "text 'a\\'b'", 'text "c"', "word if", "number 10", "word else"],
  );
  assert.deepEqual(colour("SELECT 1 -- x", "sql").map(([, kind]) => kind), ["word", "", "number", "", "comment"]);
  assert.deepEqual(colour("<!-- a --> <a b='1'>", "xml").map(([, kind]) => kind), ["comment", "", "text", ""]);
  assert.equal(colour("x", "brainfuck"), null);
});
