/** Colours code in finished answers. The highlighter is fetched when the first code needs it. */

/** The languages that the server has; `app/handlers/page.py` names the same. */
export const LANGUAGES = ["bash", "javascript", "json", "python", "sql", "xml", "yaml"];

const ALIASES = { sh: "bash", shell: "bash", js: "javascript", py: "python", html: "xml", yml: "yaml" };

const loaded = new Map();

/**
 * Colour one `<code class="language-…">`; leaves it as it is when the language is unknown.
 * @param {HTMLElement} code
 * @param {(html: string) => DocumentFragment} makeNodes sanitises
 */
export async function highlightCode(code, makeNodes) {
  const given = code.className.replace("language-", "");
  const language = ALIASES[given] ?? given;
  if (!LANGUAGES.includes(language) || code.dataset.coloured) return;
  const highlighter = await loadLanguage(language);
  if (!highlighter) return;
  code.replaceChildren(makeNodes(highlighter.highlight(code.textContent, { language }).value));
  code.dataset.coloured = "yes";
}

function loadLanguage(language) {
  if (!loaded.has(language)) loaded.set(language, importLanguage(language));
  return loaded.get(language);
}

async function importLanguage(language) {
  try {
    const [core, grammar] = await Promise.all([
      import("/lib/highlight/core.js"),
      import(`/lib/highlight/${language}.js`),
    ]);
    core.default.registerLanguage(language, grammar.default);
    return core.default;
  } catch {
    return null;
  }
}
