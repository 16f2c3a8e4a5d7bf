/** `/profile`: what somebody can change about their own access, and admins about that of others. */

import { t } from "../js/i18n/index.js";
import { followLogOut, logOut, toLogin } from "../js/leaving.js";
import { h } from "../js/ui/dom.js";
import { createBox, createForm } from "./forms.js";
import { showPage } from "./frame.js";
import { createKeys } from "./keys.js";
import { createName, createPassword } from "./myself.js";
import { Refusal, call } from "./server.js";
import { createSessions } from "./sessions.js";

const me = await call("GET", "/me").catch(toLogin);
if (me) {
  followLogOut(me.name);
  const users = me.role === "admin" ? await import("./users.js") : null;
  await showPage("profile.title", () => draw(users));
}

function draw(users) {
  const rename = ({ display_name: name }) => (title.textContent = (me.display_name = name) || me.name);
  const title = h("h1", {}, me.display_name || me.name);
  const sessions = createSessions();
  return [
    h("div", { class: "head" }, title, h("p", { class: "lead" }, describe(me)), h("a", { href: "/" }, t("profile.back"))),
    card("name.title", createName(me, rename)),
    card("password.title", createPassword(me, sessions.refresh)),
    card("sessions.title", sessions.element),
    card("keys.title", createKeys(me)),
    users ? card("users.title", users.createUsers(me)) : null,
    card("account.logout", createLogOut()),
  ];
}

function describe({ name, role, collections }) {
  const seen = collections?.map((one) => one || t("collections.common")).join(", ") || t("collections.none");
  return [name, t(`role.${role}`), collections ? t("collections.seen", { seen }) : t("collections.all")].join(" · ");
}

function card(title, parts) {
  return h("section", { class: "card" }, h("h2", {}, t(title)), parts);
}

function createLogOut() {
  const box = createBox(t("account.forget"), {}, t("account.forgetHelp"));
  const send = () =>
    logOut(me.name, box.input.checked).catch(() => {
      throw new Refusal(0);
    });
  return createForm([box.element], t("account.logout"), send);
}
