/** The documents that the next question is restricted to, above the field for it. Nothing when it searches all. */

import { t } from "../i18n/index.js";
import { h, icon } from "./dom.js";

const MAX_CHIPS = 3;

/** @param {{store: object, collection: object, showDocuments: () => void}} page */
export function createChosen(page) {
  const { store, collection } = page;
  const element = h("div", { class: "chosen", role: "group", "aria-label": t("chosen.label") });

  function draw() {
    const ids = store.options.value.documents;
    const { phase, list } = store.documents.value;
    const at = element.contains(document.activeElement) ? [...element.children].indexOf(document.activeElement) : -1;
    element.hidden = ids.length === 0;
    const known = phase === "loaded" || list.length > 0;
    element.replaceChildren(...(ids.length ? describe(ids, known ? list : null) : []));
    if (at >= 0) (element.children[Math.min(at, element.children.length - 1)] ?? document.getElementById("question")).focus();
  }
  function describe(ids, list) {
    const chips = ids.slice(0, MAX_CHIPS).map((id) => {
      const name = list ? (list.find((one) => one.id === id)?.name ?? t("chosen.unknown")) : "…";
      return chip(name, t("chosen.remove", { name }), () => collection.toggle(id, false), "close");
    });
    const n = ids.length - MAX_CHIPS;
    return [
      ...chips,
      n > 0 && chip(t("chosen.more", { n }), t("documents.show"), page.showDocuments),
      ids.length > 1 && chip(t("chosen.all"), t("chosen.all"), () => collection.choose([]), "close"),
    ].filter(Boolean);
  }
  const ends = [store.options.subscribe(draw), store.documents.subscribe(draw)];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

function chip(words, label, onclick, drawing) {
  return h(
    "button",
    { type: "button", class: "chosen-chip", title: label, "aria-label": label, onclick },
    h("span", {}, words),
    drawing && icon(drawing),
  );
}
