/** `/login`: name and password. */

import { t } from "../js/i18n/index.js";
import { h } from "../js/ui/dom.js";
import { createField, createForm } from "./forms.js";
import { showPage } from "./frame.js";
import { readNext } from "./next.js";
import { call } from "./server.js";

await showPage("login.title", draw);

function draw() {
  const plain = { autocapitalize: "none", spellcheck: "false" };
  const name = createField(t("login.name"), { ...plain, autocomplete: "username", required: true, "data-first": true });
  const secret = { type: "password", autocomplete: "current-password", required: true };
  const password = createField(t("login.password"), secret);
  async function send() {
    try {
      await call("POST", "/login", { name: name.input.value.trim(), password: password.input.value });
    } catch (error) {
      password.input.select();
      throw error;
    }
    location.replace(readNext(location.search, location.hash, location.origin));
    return "";
  }
  const form = createForm([name.element, password.element], t("login.title"), send, { 401: t("login.wrong") });
  return [
    h("section", { class: "card login" }, h("h1", {}, t("login.title")), h("p", { class: "lead" }, t("login.what")), form),
    h("p", { class: "aside" }, t("login.lost")),
  ];
}
