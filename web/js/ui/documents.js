/** The list of what is loaded, in a dialog. */

import { fileAddress } from "../api/server.js";
import { t } from "../i18n/index.js";
import { addsToName } from "../store.js";
import { h, iconButton } from "./dom.js";

/** @param {ReturnType<import("../store.js").createStore>} store */
export function createDocuments(store) {
  const list = h("ul", { class: "document-list" });
  const element = h(
    "dialog",
    { class: "documents", "aria-labelledby": "documents-title" },
    h(
      "div",
      { class: "dialog-bar" },
      h("h2", { id: "documents-title" }, t("documents.title")),
      iconButton("close", t("panel.close"), () => element.close()),
    ),
    list,
  );
  const end = store.documents.subscribe((state) => {
    list.replaceChildren(...describe(state));
  });
  return { element, open: () => element.showModal(), destroy: end };
}

function describe(state) {
  if (state.phase !== "loaded") return [h("li", {}, t(`documents.${state.phase}`))];
  if (state.list.length === 0) return [h("li", {}, t("documents.none"))];
  return state.list.map(row);
}

function row(document) {
  const failed = document.state === "failed";
  const facts = [
    addsToName(document) && document.title,
    document.pages > 0 && t("documents.pages", { n: document.pages }),
    document.state !== "ready" && t(`documents.state.${document.state}`),
  ].filter(Boolean);
  return h(
    "li",
    { class: failed ? "failed" : "" },
    h("a", { href: fileAddress(document.id), target: "_blank", rel: "noopener" }, document.name),
    h("p", { class: "facts" }, facts.join(" · ")),
    document.reason && h("p", { class: "reason" }, document.reason),
    (document.notes ?? []).map((note) => h("p", { class: "facts" }, note)),
  );
}
