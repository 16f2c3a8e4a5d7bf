/** The switch for the model that answers, below the question. */

import { t } from "../i18n/index.js";
import { h } from "./dom.js";
import { createPopover } from "./popover.js";

const QUOTING = "extractive";
const AT_WORK = ["ready", "untested"];

/** @param {{store: object, models: object}} page */
export function createModelSwitch(page) {
  const { store, models } = page;
  const name = h("span", { class: "model-name" });
  const button = h("button", { type: "button", class: "model-button", id: "model" }, h("span", { class: "dot" }), name);
  const panel = h("div", { class: "options models", role: "radiogroup", "aria-label": t("models.title") });
  createPopover(panel, "above").attach(button, models.refresh);

  async function choose(wanted) {
    // The arrow keys choose on their way; a press has arrived.
    const browsing = panel.contains(document.querySelector(":focus-visible"));
    if (!(await models.choose(wanted))) draw();
    if (!browsing && panel.matches(":popover-open")) panel.hidePopover();
    if (!panel.matches(":popover-open")) button.focus();
  }
  function draw() {
    const chosen = findChosen(page);
    button.hidden = !chosen;
    if (chosen) drawButton(button, name, chosen);
    const inside = panel.contains(document.activeElement) && document.activeElement.value;
    panel.replaceChildren(...describeList(page, chosen, choose));
    if (inside) panel.querySelector(`[value="${CSS.escape(inside)}"]`)?.focus();
  }

  const ends = [store.models.subscribe(draw), store.options.subscribe(draw), store.allowed.subscribe(draw)];
  return { elements: [button, panel], destroy: () => ends.forEach((end) => end()) };
}

/** The model that the next question goes to, also one that has gone; null until the list is read. */
function findChosen({ store, models }) {
  const { model } = store.options.value;
  const found = models.find(model);
  if (found || !model || store.models.value.phase !== "loaded") return found ?? null;
  return { name: model, provider: "", local: true, state: "missing", what_to_do: t("models.gone") };
}

function drawButton(button, name, model) {
  const place = t(model.local ? "models.local" : "models.remote", model);
  const trouble = AT_WORK.includes(model.state) ? "" : t(`models.state.${model.state}`);
  name.textContent = nameModel(model);
  button.dataset.kind = trouble ? "bad" : model.local ? "good" : "remote";
  const title = [t("models.title"), nameModel(model), place, trouble].filter(Boolean).join(", ");
  button.title = title;
  button.setAttribute("aria-label", title);
}

function describeList({ store, models }, chosen, choose) {
  const { phase, list } = store.models.value;
  const gone = chosen && !list.includes(chosen) ? [chosen] : [];
  const hosts = store.allowed.value.map((host) => describeAllowed(host, models.revoke));
  return [
    h("p", { class: "options-title" }, t("models.title")),
    ...[...gone, ...list].map((model) => describeModel(model, model === chosen, choose)),
    phase === "failed" ? h("p", { class: "notice" }, t("models.failed")) : "",
    ...hosts,
  ];
}

function describeModel(model, checked, choose) {
  const { name, state, what_to_do: help } = model;
  const facts = [
    t(model.local ? "models.local" : "models.remote", model),
    model.default && t("models.default"),
    state !== "ready" && t(`models.state.${state}`),
  ].filter(Boolean);
  const input = h("input", { type: "radio", name: "model", value: name, onchange: () => choose(name) });
  input.checked = checked;
  const where = h("small", { class: model.local ? "" : "remote" }, facts.join(" · "));
  return h("label", { class: "option" }, input, h("span", {}, nameModel(model), where, help && h("small", {}, help)));
}

function describeAllowed(host, revoke) {
  return h(
    "div",
    { class: "allowed" },
    h("span", {}, t("models.allowed", { host })),
    h("button", { type: "button", class: "action", onclick: () => revoke(host) }, t("models.revoke")),
  );
}

function nameModel({ name, provider }) {
  return provider === QUOTING ? t("models.quotes") : name;
}
