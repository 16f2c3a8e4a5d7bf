/** One's own name and password. */

import { t } from "../js/i18n/index.js";
import { h } from "../js/ui/dom.js";
import { createField, createForm, createNewPassword, createWhose } from "./forms.js";
import { call } from "./server.js";

/** `changed(me)` is called with what the server knows then. */
export function createName(me, changed) {
  const name = createField(t("name.shown"), { autocomplete: "nickname", maxlength: 100, value: me.display_name });
  const current = createCurrent();
  async function send() {
    changed(await change(current, { display_name: name.input.value }));
    return t("saved");
  }
  return createForm([name.element, createWhose(me.name), current.element], t("save"), send, { 403: t("password.wrong") });
}

/** Others are logged out by a new password; that is said, and `changed()` called. */
export function createPassword(me, changed) {
  const current = createCurrent();
  const password = createNewPassword(t("password.new"));
  async function send() {
    await change(current, { password: password.input.value });
    password.input.value = "";
    changed();
    return t("password.changed");
  }
  const hint = h("p", { class: "aside" }, t("password.ends"));
  const parts = [hint, createWhose(me.name), current.element, password.element];
  return createForm(parts, t("password.change"), send, { 403: t("password.wrong") });
}

function createCurrent() {
  return createField(t("password.current"), { type: "password", autocomplete: "current-password", required: true });
}

async function change(current, changes) {
  const me = await call("PATCH", "/me", { ...changes, current_password: current.input.value });
  current.input.value = "";
  return me;
}
