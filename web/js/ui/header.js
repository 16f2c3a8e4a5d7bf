/** The bar at the top: conversations, name, documents, new conversation, language, theme. */

import { formatNumber, t } from "../i18n/index.js";
import { readableDocuments } from "../store.js";
import { isActive } from "../transfers.js";
import { h, icon, iconButton } from "./dom.js";
import { createLanguageSwitch } from "./language.js";
import { switchTheme } from "./theme.js";

/** @param {{store: object, toggleSidebar: () => void, startNew: () => void, changeLanguage: (tag: string) => void, showDocuments: () => void, account: object | null}} page */
export function createHeader(page) {
  const count = h("span", { class: "count" });
  const busy = h("span", { class: "pulse", "aria-hidden": "true", hidden: true });
  const documents = h(
    "button",
    { type: "button", class: "quiet-button", id: "show-documents", title: t("documents.show"), onclick: toggleDocuments },
    icon("books"),
    busy,
    count,
  );
  function toggleDocuments() {
    if (page.store.documentsOpen.value && !page.store.shown.value) page.hideDocuments();
    else page.showDocuments();
  }
  const sidebar = iconButton("sidebar", t("history.show"), page.toggleSidebar, {
    id: "show-sidebar",
    "aria-controls": "sidebar",
  });
  const fresh = iconButton("plus", t("nav.new"), page.startNew);
  const element = h(
    "header",
    { class: "bar" },
    sidebar,
    h("h1", { class: "brand" }, "Acervo"),
    h("p", { class: "tagline" }, t("app.tagline")),
    h(
      "nav",
      { class: "tools" },
      documents,
      fresh,
      createLanguageSwitch(page.changeLanguage),
      iconButton("theme", t("nav.theme"), switchTheme),
      page.account?.createAccount(page),
    ),
  );
  // The sidebar has this button, too.
  function offerNew() {
    fresh.hidden = page.store.turns.value.length === 0 || page.store.sidebar.value;
  }

  function drawCount() {
    const active = page.store.transfers.value.filter(isActive).length;
    busy.hidden = active === 0;
    count.replaceChildren(...describeCount(page.store.documents.value, active));
  }

  const ends = [
    page.store.documents.subscribe(drawCount),
    page.store.transfers.subscribe(drawCount),
    page.store.documentsOpen.subscribe((open) => documents.setAttribute("aria-expanded", String(open))),
    page.store.turns.subscribe(offerNew),
    page.store.sidebar.subscribe((open) => {
      sidebar.setAttribute("aria-expanded", String(open));
      offerNew();
    }),
  ];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

/** The count with its noun apart, which a narrow screen hides from the eye only. */
function describeCount(state, active) {
  const n = readableDocuments(state).length;
  if (active > 0) return [formatNumber(active), h("span", { class: "noun" }, ` ${t("documents.adding")}`)];
  if (state.phase !== "loaded") return [h("span", { class: "noun" }, t("documents.title"))];
  if (n === 0) return [h("span", { class: "noun" }, t("documents.none"))];
  return [formatNumber(n), h("span", { class: "noun" }, ` ${t("documents.noun", { n })}`)];
}
