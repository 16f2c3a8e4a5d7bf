/** The four languages say the same things, on the page of the chat and on those of access. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { readNext } from "../../web/access/next.js";
import { LANGUAGES, preferredLanguage } from "../../web/js/i18n/index.js";

const WEB = join(import.meta.dirname, "../../web");
/** Keys that the code puts together. */
const BUILT = /^(documents\.(state\.|loading|failed)|part\.|models\.state\.|insight\.rewritten\.|role\.|scope\.)/;
const dictionaries = { js: {}, access: {} };
for (const [folder, words] of Object.entries(dictionaries)) {
  for (const tag of Object.keys(LANGUAGES)) words[tag] = (await import(`../../web/${folder}/i18n/${tag}.js`)).default;
}

const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const forms = (entry) => (typeof entry === "string" ? { other: entry } : entry);

for (const [folder, languages] of Object.entries(dictionaries)) {
  for (const [tag, words] of Object.entries(languages)) {
    test(`${folder}: ${tag} has every key, with the same values to fill in`, () => {
      assert.deepEqual(Object.keys(words).sort(), Object.keys(languages.en).sort());
      for (const [key, entry] of Object.entries(words)) {
        const expected = holes(forms(languages.en[key]).other);
        for (const text of Object.values(forms(entry))) assert.deepEqual(holes(text), expected, `${tag} ${key}`);
      }
    });
  }

  test(`${folder}: every key that the code asks for exists, and none is left over`, () => {
    const own = readSources(folder);
    const all = folder === "js" ? own : own + readSources("js");
    const used = new Set([...all.matchAll(/"([a-z]+(?:\.[a-zA-Z]+)*)"/g)].map((match) => match[1]));
    const keys = Object.keys(languages.en);
    assert.deepEqual(
      keys.filter((key) => !used.has(key) && !BUILT.test(key)),
      [],
      "left over",
    );
    const asked = [...own.matchAll(/\bt\(\s*"([\w.]+)"/g)].map((match) => match[1]);
    assert.deepEqual(
      asked.filter((key) => !keys.includes(key)),
      [],
      "missing",
    );
  });
}

function readSources(folder) {
  const files = readdirSync(join(WEB, folder), { recursive: true }).filter((name) => /^(?!i18n).*\.js$/.test(name));
  return files.map((name) => readFileSync(join(WEB, folder, name), "utf8")).join("\n");
}

test("the remembered language comes first, then the browser's, then English", () => {
  assert.equal(preferredLanguage(null, ["pt-PT", "en"]), "pt-BR");
  assert.equal(preferredLanguage(null, ["de", "fr-CA"]), "fr");
  assert.equal(preferredLanguage("es", ["fr"]), "es");
  assert.equal(preferredLanguage(null, ["ja"]), "en");
});

test("after the login nobody is sent to another server", () => {
  const read = (next, hash = "") => readNext(`?next=${encodeURIComponent(next)}`, hash, "http://acervo.test");
  assert.equal(read("/profile?a=b"), "/profile?a=b");
  assert.equal(read("/", "#c=abc"), "/#c=abc");
  assert.equal(read("/#c=one", "#c=two"), "/#c=one");
  assert.equal(readNext("", "", "http://acervo.test"), "/");
  const others = ["//evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test/", "javascript:alert(1)", "/\t/evil.test", "evil"];
  for (const next of [...others, "/login?next=/login", "/./login", "/.//evil.test", " //evil.test", ""]) assert.equal(read(next), "/", next);
});
