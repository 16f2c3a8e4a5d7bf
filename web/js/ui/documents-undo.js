/** What was deleted can be brought back for a while: a line with a button for each, counting down. */

import { t } from "../i18n/index.js";
import { makeTitle } from "../titles.js";
import { createRows } from "./documents-rows.js";
import { h, iconButton } from "./dom.js";

/** @param {{store: object, collection: object}} page */
export function createUndo({ store, collection }) {
  const element = h("div", { class: "toasts", "aria-live": "polite" });
  const show = createRows(
    element,
    ({ document }) => document.id,
    () => createToast(collection),
  );
  let ticking = 0;

  function draw() {
    const now = Date.now();
    const [kept, over] = [[], []];
    for (const entry of store.deleted.value) (entry.until > now ? kept : over).push(entry);
    const focused = element.contains(document.activeElement);
    show(kept);
    if (focused && !element.contains(document.activeElement)) focusAfter();
    over.forEach(collection.forget);
    clearTimeout(ticking);
    if (kept.length) ticking = setTimeout(draw, 1000);
  }
  const end = store.deleted.subscribe(draw);
  return {
    element,
    destroy() {
      end();
      clearTimeout(ticking);
    },
  };
}

function createToast(collection) {
  let shown = null;
  const words = h("p", {});
  const left = h("span", { class: "countdown", "aria-hidden": "true" });
  const undo = h(
    "button",
    { type: "button", class: "action", onclick: () => collection.restore(shown) },
    h("span", {}, t("history.undo")),
    left,
  );
  const close = iconButton("close", t("panel.close"), () => collection.forget(shown));
  return {
    element: h("div", { class: "toast" }, words, undo, close),
    update(entry) {
      shown = entry;
      const text = t(describe(entry), { name: makeTitle(entry.document.name) });
      if (words.textContent !== text) words.textContent = text;
      left.textContent = String(Math.ceil((entry.until - Date.now()) / 1000));
    },
  };
}

function describe({ failed, document }) {
  if (failed) return "undo.failed";
  return document.origin === "folder" ? "undo.folder" : "undo.deleted";
}

/** A focus that went with its line goes to the drawer, or to the question. */
function focusAfter() {
  const drawer = document.querySelector(".documents:not([hidden])");
  (drawer ?? document.getElementById("question")).focus();
}
