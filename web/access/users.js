/** Everybody who may log in; for admins. */

import { formatDate, t } from "../js/i18n/index.js";
import { h } from "../js/ui/dom.js";
import { createField, createForm, createNewPassword, createRemove, createWhose } from "./forms.js";
import { createList } from "./lists.js";
import { createRights } from "./rights.js";
import { call } from "./server.js";

/** The list, each entry with what can be changed, and a form for somebody new. */
export function createUsers(me) {
  let collections = [];
  const adding = h("div");
  const list = createList(read, (user, act) => drawUser(user, act, me, collections), "");

  async function read() {
    const [{ users }, known] = await Promise.all([call("GET", "/users"), call("GET", "/collections")]);
    const names = [...known.collections.map(({ name }) => name), ...users.flatMap((user) => user.collections ?? [])];
    collections = [...new Set(["", ...names])].sort();
    if (!adding.firstChild) adding.replaceChildren(createAdding());
    return users;
  }
  function createAdding() {
    const plain = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" };
    const name = createField(t("login.name"), { ...plain, required: true, maxlength: 64 }, t("users.nameRule"));
    const password = createNewPassword(t("users.password"));
    const rights = createRights({ role: "reader", collections: [""] }, collections);
    async function send() {
      const given = { name: name.input.value.trim(), password: password.input.value, ...rights.read() };
      const user = await call("POST", "/users", given);
      adding.replaceChildren();
      await list.act(async () => t("users.added", { name: user.name }));
    }
    const form = createForm([name.element, password.element, ...rights.elements], t("users.add"), send);
    return h("details", { class: "more" }, h("summary", {}, t("users.new")), form);
  }
  return [list.element, adding];
}

function drawUser(user, act, me, known) {
  const { name, display_name: shown, role, collections, created_at: since } = user;
  const seen = collections ? collections.map((one) => one || t("collections.common")).join(", ") : t("collections.all");
  const facts = [shown !== name && shown, t(`role.${role}`), seen || t("collections.none"), formatDate(since)];
  const summary = h(
    "summary",
    {},
    h("strong", {}, h("bdi", {}, name)),
    h("small", {}, facts.filter(Boolean).join(" · ")),
  );
  if (name === me.name) return h("li", {}, h("div", { class: "what" }, ...summary.childNodes));
  return h("li", {}, h("details", {}, summary, createChanges(user, act, known)));
}

function createChanges(user, act, known) {
  const path = `/users/${encodeURIComponent(user.name)}`;
  const rights = createRights(user, known);
  const password = createNewPassword(t("users.password"));
  const changeRights = () => act(async () => (await call("PATCH", path, rights.read()), t("saved")));
  const reset = () =>
    act(async () => (await call("PATCH", path, { password: password.input.value }), t("users.reset", { name: user.name })));
  const remove = () => act(async () => (await call("DELETE", path), t("users.removed", { name: user.name })));
  return h(
    "div",
    { class: "changes" },
    createForm(rights.elements, t("save"), changeRights),
    createForm([createWhose(user.name), password.element], t("users.resetPassword"), reset),
    createRemove(t("users.remove"), t("users.confirm", { name: user.name }), remove),
  );
}
