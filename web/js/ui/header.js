/** The bar at the top: name, documents, new conversation, language, theme. */

import { LANGUAGES, currentLanguage, t } from "../i18n/index.js";
import { h, icon, iconButton } from "./dom.js";
import { switchTheme } from "./theme.js";

/** @param {{store: object, conversation: object, changeLanguage: (tag: string) => void, showDocuments: () => void}} page */
export function createHeader(page) {
  const count = h("span", {}, "");
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
    h("nav", { class: "tools" }, documents, fresh, languageSwitch(page), iconButton("theme", t("nav.theme"), switchTheme)),
  );
  const ends = [
    page.store.documents.subscribe((state) => {
      count.textContent = describeCount(state);
    }),
    page.store.turns.subscribe((turns) => {
      fresh.hidden = turns.length === 0;
    }),
  ];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

function describeCount(state) {
  if (state.phase !== "loaded") return t("documents.title");
  return state.list.length ? t("documents.count", { n: state.list.length }) : t("documents.none");
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
