/** One quiet line that says what is going on. The only live region besides errors. */

import { t } from "../i18n/index.js";
import { h } from "./dom.js";

/** @param {ReturnType<import("../store.js").createStore>} store */
export function createStatus(store) {
  const text = h("span");
  const element = h("p", { class: "status", role: "status" }, h("span", { class: "dot", "aria-hidden": "true" }), text);
  function draw() {
    const { kind, words } = describeStatus(store.answering.value, store.readiness.value);
    element.dataset.kind = kind;
    if (text.textContent !== words) text.textContent = words;
  }
  const ends = [store.answering.subscribe(draw), store.readiness.subscribe(draw)];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

function describeStatus(answering, readiness) {
  if (answering) return { kind: "busy", words: t("status.answering") };
  if (readiness === "gone") return { kind: "bad", words: t("status.gone") };
  if (readiness && !readiness.ready) {
    return { kind: "bad", words: t("status.notReady", { detail: findDetail(readiness) || t("status.starting") }) };
  }
  return { kind: "good", words: t("status.ready") };
}

/** What the first part that is not ready says about itself. */
function findDetail(readiness) {
  const failed = [readiness.store, readiness.embedder].find((part) => part?.state === "failed");
  const model = readiness.models?.find((one) => ["away", "missing", "failed"].includes(one.state));
  return failed?.detail || model?.what_to_do || "";
}
