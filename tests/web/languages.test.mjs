/** The four languages say the same things. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { LANGUAGES, preferredLanguage } from "../../web/js/i18n/index.js";

const JS = join(import.meta.dirname, "../../web/js");
const dictionaries = {};
for (const tag of Object.keys(LANGUAGES)) {
  dictionaries[tag] = (await import(`../../web/js/i18n/${tag}.js`)).default;
}

const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const forms = (entry) => (typeof entry === "string" ? { other: entry } : entry);

for (const [tag, words] of Object.entries(dictionaries)) {
  test(`${tag} has every key, with the same values to fill in`, () => {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(dictionaries.en).sort());
    for (const [key, entry] of Object.entries(words)) {
      const expected = holes(forms(dictionaries.en[key]).other);
      for (const text of Object.values(forms(entry))) assert.deepEqual(holes(text), expected, `${tag} ${key}`);
    }
  });
}

test("every key that the page asks for exists, and none is left over", () => {
  const files = readdirSync(JS, { recursive: true }).filter((name) => name.endsWith(".js") && !name.startsWith("i18n"));
  const source = files.map((name) => readFileSync(join(JS, name), "utf8")).join("\n");
  const used = new Set([...source.matchAll(/"([a-z]+(?:\.[a-zA-Z]+)+)"/g)].map((match) => match[1]));
  const keys = Object.keys(dictionaries.en);
  const built = keys.filter((key) => /^(documents\.(state\.|loading|failed)|part\.|models\.state\.|insight\.rewritten\.)/.test(key));
  assert.deepEqual(
    keys.filter((key) => !used.has(key) && !built.includes(key)),
    [],
    "left over",
  );
  const asked = [...source.matchAll(/\bt\(\s*"([\w.]+)"/g)].map((match) => match[1]);
  assert.deepEqual(
    asked.filter((key) => !keys.includes(key)),
    [],
    "missing",
  );
});

test("the remembered language comes first, then the browser's, then English", () => {
  assert.equal(preferredLanguage(null, ["pt-PT", "en"]), "pt-BR");
  assert.equal(preferredLanguage(null, ["de", "fr-CA"]), "fr");
  assert.equal(preferredLanguage("es", ["fr"]), "es");
  assert.equal(preferredLanguage(null, ["ja"]), "en");
});
