/** Where a person types or pastes the address of a web page to add; and links to such pages. */

import { t } from "../i18n/index.js";
import { h, iconButton } from "./dom.js";

/** Null for whom may not add any. @param {{adding: {add: Function}, may: (scope: string) => boolean}} page */
export function createAddress(page) {
  if (!page.may("write")) return null;
  const label = t("documents.address");
  const input = h("input", { type: "url", required: true, placeholder: label, "aria-label": label, maxlength: 2000 });
  function onsubmit(event) {
    event.preventDefault();
    page.adding.add([{ name: input.value, size: 0, url: input.value }]);
    input.value = "";
  }
  return h("form", { class: "into", onsubmit }, input, iconButton("plus", label, null, { type: "submit" }));
}

/** A link to the page that a document was loaded from; null without one. Nothing of it is loaded before it is pressed. */
export function createPageLink({ url = "" }) {
  return /^https?:\/\//.test(url)
    ? h("p", { class: "facts" }, h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url))
    : null;
}
