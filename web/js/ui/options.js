/** The small menu beside the question: how it will be asked. */

import { t } from "../i18n/index.js";
import { remember } from "../memory.js";
import { h, iconButton } from "./dom.js";
import { createPopover } from "./popover.js";

/** Under this name the choice outlasts the visit. */
export const REWRITE = "acervo.rewrite";

/** @param {{store: object}} page */
export function createOptions(page) {
  const parts = [createRewriteSwitch(page.store)];
  const panel = h(
    "div",
    { class: "options", role: "group", "aria-label": t("options.title") },
    parts.map((part) => part.element),
  );
  const button = iconButton("sliders", t("options.title"), null, { class: "icon-button options-button" });
  createPopover(panel, "above").attach(button);
  return { elements: [button, panel], destroy: () => parts.forEach((part) => part.destroy()) };
}

/** Each part of the menu is {element, destroy}. */
function createRewriteSwitch(store) {
  const box = h("input", { type: "checkbox", onchange: () => choose(box.checked) });
  function choose(rewrite) {
    store.options.value = { ...store.options.value, rewrite };
    remember(REWRITE, rewrite ? "" : "no");
  }
  const end = store.options.subscribe(({ rewrite }) => {
    box.checked = rewrite;
  });
  const words = h("span", {}, t("options.rewrite"), h("small", {}, t("options.rewriteHelp")));
  return { element: h("label", { class: "option" }, box, words), destroy: end };
}
