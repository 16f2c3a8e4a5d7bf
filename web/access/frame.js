/** What `/login` and `/profile` have in common: the bar at the top, the language, one column below. */

import { preferredLanguage, rememberLanguage, useLanguage, t } from "../js/i18n/index.js";
import { h, iconButton } from "../js/ui/dom.js";
import { createLanguageSwitch } from "../js/ui/language.js";
import { switchTheme } from "../js/ui/theme.js";

/**
 * Show the page; once more when another language is chosen.
 * @param {string} title the key of its title
 * @param {() => HTMLElement[]} draw its content
 */
export async function showPage(title, draw) {
  await speak(preferredLanguage());
  mount();

  function mount() {
    document.title = `${t(title)} · Acervo`;
    document.body.replaceChildren(createBar(change), h("main", {}, draw()));
    document.querySelector("[data-first]")?.focus();
  }
  async function change(language) {
    await speak(language);
    rememberLanguage(language);
    mount();
    document.getElementById("language").focus();
  }
}

function speak(language) {
  return useLanguage(language, (tag) => import(`./i18n/${tag}.js`));
}

function createBar(change) {
  return h(
    "header",
    { class: "bar" },
    h("p", { class: "brand" }, h("a", { href: "/" }, "Acervo")),
    h(
      "nav",
      { class: "tools", "aria-label": t("nav.tools") },
      createLanguageSwitch(change),
      iconButton("theme", t("nav.theme"), switchTheme),
    ),
  );
}
