/** Who is logged in, and the way out. Fetched where somebody is. */

import { t } from "../i18n/index.js";
import { logOut } from "../leaving.js";
import { h } from "./dom.js";
import { createPopover } from "./popover.js";

/** @param {{me: {name: string, display_name: string}}} page */
export function createAccount({ me }) {
  const name = me.display_name || me.name;
  const box = h("input", { type: "checkbox" });
  const alert = h("p", { class: "notice error", role: "alert", hidden: true });
  const words = h("span", {}, t("account.forget"), h("small", {}, t("account.forgetHelp")));
  const panel = h(
    "div",
    { class: "options account", role: "group", "aria-label": name },
    h("p", { class: "options-title" }, t("account.as", { name: me.name })),
    h("a", { class: "action", href: "/profile" }, t("account.profile")),
    h("label", { class: "option" }, box, words),
    h("button", { type: "button", class: "action", onclick: leave }, t("account.logout")),
    alert,
  );
  async function leave() {
    alert.hidden = true;
    try {
      await logOut(me.name, box.checked);
    } catch {
      alert.textContent = t("account.failed");
      alert.hidden = false;
    }
  }
  const attributes = { type: "button", class: "quiet-button account-button", id: "account", title: t("account.title", { name }) };
  const button = h("button", attributes, h("span", { class: "initial", "aria-hidden": "true" }, initial(name)), h("bdi", {}, name));
  createPopover(panel, "below").attach(button);
  return [button, panel];
}

function initial(name) {
  return [...name][0].toLocaleUpperCase();
}
