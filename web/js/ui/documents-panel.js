/** What the documents' drawer shows: the way in, what is on its way, and what is there. */

import { formatNumber, t } from "../i18n/index.js";
import { countCollections, createList } from "./documents-list.js";
import { createTransferList } from "./documents-transfers.js";
import { h, iconButton } from "./dom.js";
import { createAddress } from "./documents-address.js";
import { createPick } from "./documents-pick.js";

/**
 * @param {{store: object, adding: object, collection: object, me: object, hideDocuments: () => void}} page
 * @param {HTMLElement} live where news for screen readers go
 */
export function createPanel(page, live) {
  const transfers = createTransferList(page, live);
  const list = createList(page);
  // Where files can go into one collection or another, the choice takes its place.
  const into = h("div", { hidden: true });
  let offered = false;
  const title = h("h2", { id: "documents-title" }, t("documents.title"));
  const end = page.store.documents.subscribe(({ phase, list: all }) => {
    title.dataset.count = phase === "loaded" && all.length ? formatNumber(all.length) : "";
    if (page.me.login || countCollections(all) > 1) offerCollections();
  });
  function offerCollections() {
    if (offered || !page.may("write")) return;
    offered = true;
    void import("./documents-into.js").then(({ createInto }) => into.replaceWith(createInto(page)));
  }
  return {
    elements: [
      h(
        "div",
        { class: "documents-bar" },
        title,
        iconButton("close", t("documents.close"), page.hideDocuments, { id: "close-documents" }),
      ),
      into,
      createPick(page),
      createAddress(page),
      transfers.element,
      list.element,
    ].filter(Boolean),
    destroy: () => [end, transfers.destroy, list.destroy].forEach((each) => each()),
  };
}
