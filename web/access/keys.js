/** Keys with which programs ask in somebody's name. */

import { formatDate, isolate, t } from "../js/i18n/index.js";
import { copyText } from "../js/ui/clipboard.js";
import { h } from "../js/ui/dom.js";
import { createBox, createBoxes, createButton, createField, createForm, createRemove } from "./forms.js";
import { createList, createRow } from "./lists.js";
import { call } from "./server.js";

/** From what is asked most to what may do most. */
const ORDER = ["ask", "read", "write", "admin"];

/** The list, and a form that makes another one. */
export function createKeys({ scopes: allowed }) {
  const list = createList(async () => (await call("GET", "/me/keys")).keys, drawKey, t("keys.none"));
  const made = h("div", { class: "made", hidden: true, tabindex: -1 });
  const label = createField(t("keys.label"), { maxlength: 100, autocomplete: "off" }, t("keys.labelHelp"));
  const boxes = ORDER.filter((scope) => allowed.includes(scope)).map((value) =>
    createBox(t(`scope.${value}`), { value, checked: value === "ask" }),
  );
  async function send() {
    const scopes = boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
    const { key } = await call("POST", "/me/keys", { scopes, label: label.input.value.trim() });
    label.input.value = "";
    showKey(made, key);
    await list.refresh();
  }
  const form = createForm([label.element, createBoxes(t("keys.scopes"), boxes)], t("keys.make"), send, {
    422: t("keys.noScope"),
    400: t("keys.noScope"),
  });
  return [h("p", { class: "aside" }, t("keys.what")), list.element, form, made];
}

function drawKey({ id, label, scopes, created_at: made }, act) {
  const names = ORDER.filter((scope) => scopes.includes(scope)).map((scope) => t(`scope.${scope}`));
  const remove = () => act(async () => (await call("DELETE", `/me/keys/${id}`), t("keys.removed")));
  const name = isolate(label) || id;
  const facts = [label && id, names.join(", "), formatDate(made)];
  return createRow(name, facts, createRemove(t("remove"), t("keys.confirm", { name }), remove));
}

/** The only time that it is shown. */
function showKey(place, key) {
  const text = h("code", { tabindex: 0, "aria-label": t("keys.text") }, key);
  const copied = h("span", { role: "status" });
  const copy = createButton(t("copy"), async () => {
    if (await copyText(key)) copied.textContent = t("copied");
    else getSelection().selectAllChildren(text);
  });
  const done = createButton(t("keys.done"), () => {
    place.replaceChildren();
    place.hidden = true;
  });
  place.replaceChildren(h("p", {}, h("strong", {}, t("keys.once"))), text, h("div", { class: "ways" }, copy, done, copied));
  place.hidden = false;
  place.focus();
}
