/** The drawer with the documents. What is in it is fetched when it is first opened. */

import { t } from "../i18n/index.js";
import { h } from "./dom.js";

/** @param {{store: object, adding: object, collection: object, hideDocuments: () => void}} page */
export function createDocuments(page) {
  const { store } = page;
  const element = h("aside", { class: "documents", "aria-labelledby": "documents-title", hidden: true, tabindex: -1 });
  // Outside of the drawer, so that it is heard also when that is closed.
  const live = h("p", { class: "visually-hidden", "aria-live": "polite" });
  let content = null;
  let gone = false;

  async function draw() {
    element.hidden = !store.documentsOpen.value || Boolean(store.shown.value);
    if (element.hidden || content) return;
    const { createPanel } = await import("./documents-panel.js");
    if (content || gone) return;
    content = createPanel(page, live);
    element.replaceChildren(...content.elements);
  }
  const ends = [store.documentsOpen.subscribe(draw), store.shown.subscribe(draw)];
  return {
    elements: [element, live],
    destroy() {
      gone = true;
      for (const end of [...ends, content?.destroy]) end?.();
    },
  };
}
