/** Asks whether questions may leave this machine. */

import { t } from "../i18n/index.js";
import { h } from "./dom.js";

/** Resolves to whether the person allows it. @param {{name: string, host: string}} model */
export function askConsent(model) {
  const { promise, resolve } = makePromise();
  const answer = (value, key, look) => h("button", { value, class: look }, t(key));
  const dialog = h(
    "dialog",
    { class: "consent", "aria-labelledby": "consent-title", onclose, onkeydown: (event) => event.stopPropagation() },
    h("h2", { id: "consent-title" }, t("consent.title", model)),
    h("p", {}, t("consent.what", model)),
    h("p", { class: "aside" }, t("consent.once")),
    h("form", { method: "dialog" }, answer("", "consent.no", "action"), answer("yes", "consent.yes", "action strong")),
  );
  function onclose() {
    dialog.remove();
    resolve(dialog.returnValue === "yes");
  }
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}

function makePromise() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
