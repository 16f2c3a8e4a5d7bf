/** One message of the page itself, above the question, until it is closed. */

import { t } from "../i18n/index.js";
import { h, iconButton } from "./dom.js";

/** @param {ReturnType<import("../store.js").createStore>} store shows the words for the key in `store.message` */
export function createMessage(store) {
  const element = h("div", { "aria-live": "polite" });
  const end = store.message.subscribe((key) => {
    element.replaceChildren(
      ...(key
        ? [h("div", { class: "notice message" }, h("p", {}, t(key)), iconButton("close", t("panel.close"), close))]
        : []),
    );
  });
  function close() {
    store.message.value = "";
    document.getElementById("question").focus();
  }
  return { element, destroy: end };
}
