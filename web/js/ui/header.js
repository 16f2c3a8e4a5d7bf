/** The bar at the top: name, documents, new conversation, language, theme. */

import { LANGUAGES, currentLanguage, formatNumber, t } from "../i18n/index.js";
import { readableDocuments } from "../store.js";
import { h, icon, iconButton } from "./dom.js";
import { switchTheme } from "./theme.js";

/** @param {{store: object, conversation: object, changeLanguage: (tag: string) => void, showDocuments: () => void}} page */
export function createHeader(page) {
  const count = h("span", { class: "count" });
  const documents = h(
    "button",
    { type: "button", class: "quiet-button", title: t("documents.show"), onclick: page.showDocuments },
    icon("books"),
    count,
  );
  const fresh = iconButton("plus", t("nav.new"), page.conversation.clear);
  const element = h(
    "header",
    { class: "bar" },
    h("h1", { class: "brand" }, "Acervo"),
    h("p", { class: "tagline" }, t("app.tagline")),
    h(
      "nav",
      { class: "tools" },
      documents,
      fresh,
      languageSwitch(page),
      iconButton("theme", t("nav.theme"), switchTheme),
    ),
  );
  const ends = [
    page.store.documents.subscribe((state) => {
      count.replaceChildren(...describeCount(state));
    }),
    page.store.turns.subscribe((turns) => {
      fresh.hidden = turns.length === 0;
    }),
  ];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

/** The count with its noun apart, which a narrow screen hides from the eye only. */
function describeCount(state) {
  const n = readableDocuments(state).length;
  if (state.phase !== "loaded") return [h("span", { class: "noun" }, t("documents.title"))];
  if (n === 0) return [h("span", { class: "noun" }, t("documents.none"))];
  return [formatNumber(n), h("span", { class: "noun" }, ` ${t("documents.noun", { n })}`)];
}

function languageSwitch(page) {
  const options = Object.entries(LANGUAGES).map(([tag, name]) =>
    h("option", { value: tag, lang: tag, selected: tag === currentLanguage() }, name),
  );
  return h(
    "select",
    {
      class: "language",
      id: "language",
      "aria-label": t("nav.language"),
      onchange: (event) => page.changeLanguage(event.target.value),
    },
    options,
  );
}
