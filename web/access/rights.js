/** What a user may do and see. */

import { t } from "../js/i18n/index.js";
import { h } from "../js/ui/dom.js";
import { createBox, createBoxes, createField } from "./forms.js";

const ROLES = ["reader", "admin"];

/**
 * Fields that begin with `{role, collections}`; `known` are the collections to choose from. `read()` gives what they
 * hold, collections only for readers: admins see everything.
 */
export function createRights({ role, collections }, known) {
  const names = known.length ? known : [""];
  const boxes = names.map((name) =>
    createBox(name || t("collections.common"), { value: name, checked: (collections ?? [""]).includes(name) }),
  );
  const others = createField(t("collections.others"), { autocomplete: "off" }, t("collections.othersHelp"));
  const chosen = createBoxes(t("collections.title"), boxes, others.element);
  const options = ROLES.map((value) => h("option", { value, selected: value === role }, t(`role.${value}`)));
  const choice = h("select", { onchange: adapt }, options);
  function adapt() {
    chosen.hidden = choice.value === "admin";
  }
  adapt();
  function readCollections() {
    const more = others.input.value.split(",").map((name) => name.trim());
    const ticked = boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
    return [...new Set([...ticked, ...more.filter(Boolean)])];
  }
  return {
    elements: [h("label", { class: "entry" }, h("span", {}, t("role.title")), choice), chosen],
    read: () => ({ role: choice.value, ...(choice.value === "reader" && { collections: readCollections() }) }),
  };
}
