/** The collection that added files go into: one that is there, or a new one. */

import { listCollections } from "../api/server.js";
import { t } from "../i18n/index.js";
import { h } from "./dom.js";

const KNOWN = "known-collections";

/** @param {{store: object}} page */
export function createInto({ store }) {
  const known = h("datalist", { id: KNOWN });
  const input = h("input", {
    list: KNOWN,
    maxlength: 64,
    placeholder: t("documents.common"),
    autocomplete: "off",
    oninput: () => (store.into.value = input.value.trim()),
    onfocus: refresh,
  });
  function refresh() {
    listCollections()
      .catch(() => [])
      .then((names) => known.replaceChildren(...names.filter(Boolean).map((value) => h("option", { value }))));
  }
  input.value = store.into.value;
  refresh();
  return h("label", { class: "into" }, h("span", {}, t("documents.into")), input, known);
}
