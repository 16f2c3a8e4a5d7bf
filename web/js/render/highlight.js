/** Colours code in finished answers: comments, texts, numbers and the words that most languages share. */

const MAX_CHARS = 20_000;

const TEXTS = String.raw`"""[^]*?"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\x60[^\x60]*\x60`;
const NUMBERS = String.raw`\b\d[\w.]*`;
const CODE_WORDS =
  "and as async await break case catch class const continue def default do done elif else except export extends false False fi finally fn for from func function if import in int interface is lambda let new nil None not null or pass private public raise return self static struct super switch then this throw true True try type undefined var void while with yield";
const SQL_WORDS =
  "and as asc between by case count create delete desc distinct drop else end exists from group having in inner insert into is join left like limit not null on or order outer primary select set sum table then union update values view when where with";

const FAMILIES = [
  ["bash sh shell zsh python py ruby rb r yaml yml toml ini perl makefile dockerfile", "#.*", CODE_WORDS],
  [
    "javascript js typescript ts jsx tsx java c cpp h cs csharp go rust rs php json jsonc kotlin swift scala css",
    String.raw`\/\/.*|\/\*[^]*?\*\/`,
    CODE_WORDS,
  ],
  ["sql sqlite postgresql mysql", "--.*", SQL_WORDS],
  ["xml html svg", "<!--[^]*?-->", ""],
];

/** Colour one `<code class="language-…">`; leaves it as it is when the language is unknown. */
export function highlightCode(code) {
  const source = code.textContent;
  const parts = source.length <= MAX_CHARS && colour(source, code.className.replace("language-", ""));
  if (parts) code.replaceChildren(...parts.map(([text, kind]) => (kind ? makeSpan(text, kind) : text)));
}

/** `source` cut into [text, kind]: comment, text, number, word or "" for the rest; null for an unknown language. */
export function colour(source, language) {
  const pattern = findPattern(language);
  if (!pattern) return null;
  const parts = [];
  let end = 0;
  for (const match of source.matchAll(pattern)) {
    const [kind] = Object.entries(match.groups).find(([, text]) => text !== undefined);
    parts.push([source.slice(end, match.index), ""], [match[0], kind]);
    end = match.index + match[0].length;
  }
  parts.push([source.slice(end), ""]);
  return parts.filter(([text]) => text !== "");
}

function findPattern(language) {
  const family = FAMILIES.find(([names]) => names.split(" ").includes(language));
  if (!family) return null;
  const [, comment, words] = family;
  const word = words ? String.raw`|(?<word>\b(?:${words.replaceAll(" ", "|")})\b)` : "";
  return new RegExp(
    `(?<comment>${comment})|(?<text>${TEXTS})|(?<number>${NUMBERS})${word}`,
    words === SQL_WORDS ? "gi" : "g",
  );
}

function makeSpan(text, kind) {
  const span = document.createElement("span");
  span.className = `code-${kind}`;
  span.textContent = text;
  return span;
}
