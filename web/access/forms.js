/** Labelled fields, and forms that say how sending them went. */

import { formatNumber, isolate, t } from "../js/i18n/index.js";
import { toLogin } from "../js/leaving.js";
import { h } from "../js/ui/dom.js";
import { Refusal } from "./server.js";

let count = 0;

/** A field below its label; `help` says more about it. */
export function createField(label, attributes = {}, help = "") {
  const id = `field-${(count += 1)}`;
  const described = help ? { "aria-describedby": `${id}-help` } : {};
  const input = h("input", { id, type: "text", ...described, ...attributes });
  const element = h(
    "div",
    { class: "entry" },
    h("label", { for: id }, label),
    input,
    help && h("small", { id: `${id}-help` }, help),
  );
  return { element, input };
}

/** A box to tick, with its label. */
export function createBox(label, attributes = {}, help = "") {
  const input = h("input", { type: "checkbox", ...attributes });
  return { element: h("label", { class: "box" }, input, h("span", {}, label, help && h("small", {}, help))), input };
}

/** Boxes that belong together. */
export function createBoxes(legend, boxes, ...more) {
  return h("fieldset", {}, h("legend", {}, legend), boxes.map(({ element }) => element), more);
}

/** A new password; the browser may make one. */
export function createNewPassword(label) {
  const rules = { type: "password", autocomplete: "new-password", required: true, minlength: 10, maxlength: 1000 };
  return createField(label, rules, t("password.rule"));
}

/** Tells password managers whose password it is. */
export function createWhose(name) {
  return h("input", { autocomplete: "username", value: name, hidden: true, readonly: true, "aria-hidden": "true" });
}

/**
 * A form: `send()` is called when it is sent and resolves to what is said then ("" for nothing); what goes wrong is
 * said in place of that. `wrong`: what a status means here, by status.
 */
export function createForm(parts, label, send, wrong = {}) {
  const said = createNews();
  const button = h("button", { class: "action strong" }, label);
  async function onsubmit(event) {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    await said.tell(send, wrong);
    button.disabled = false;
  }
  return h("form", { onsubmit }, parts, h("div", { class: "ways" }, button), said.element);
}

/** Where it is said how something went: `tell(run)` runs it and says what it resolves to, or why it failed. */
export function createNews() {
  const good = h("p", { class: "said", role: "status" });
  const bad = h("p", { class: "said bad", role: "alert" });
  async function tell(run, wrong = {}) {
    good.textContent = bad.textContent = "";
    try {
      good.textContent = (await run()) ?? "";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401 && !wrong[401]) return toLogin();
      bad.textContent = explain(error, wrong);
    }
  }
  return { element: h("div", { class: "news" }, good, bad), tell };
}

/** A button that asks back before it runs. */
export function createRemove(label, question, run) {
  const element = h("span", { class: "asking" });
  const show = (...parts) => element.replaceChildren(...parts);
  const first = createButton(label, () => {
    show(h("span", {}, question), createButton(label, run, "action bad"), createButton(t("cancel"), back));
    element.querySelector("button").focus();
  });
  function back() {
    show(first);
    first.focus();
  }
  show(first);
  return element;
}

/** A button that sends nothing. */
export function createButton(label, onclick, look = "action") {
  return h("button", { type: "button", class: look, onclick }, label);
}

function explain({ status, message, waitS }, wrong) {
  if (status === 0) return t("error.gone");
  if (status === 429) return t("error.wait", { time: formatWait(waitS) });
  return wrong[status] ?? (isolate(message) || t("error.other", { status }));
}

function formatWait(seconds) {
  const [n, unit] = seconds < 90 ? [Math.max(1, seconds), "second"] : [Math.ceil(seconds / 60), "minute"];
  return formatNumber(n, { style: "unit", unit, unitDisplay: "long" });
}
