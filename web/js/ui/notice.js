/** Says, in words that differ, why an answer is not whole or found nothing, and offers what helps. */

import { t } from "../i18n/index.js";
import { readableDocuments } from "../store.js";
import { createPick } from "./documents-pick.js";
import { h, icon } from "./dom.js";

/**
 * What stands under the answer of `turn` once it is over; empty when there is nothing to say.
 * @param {{store: object, conversation: object, collection: object, adding: object}} page
 */
export function createNotice(page, turn) {
  const answer = turn.answer.value;
  if (answer.phase === "failed") return [createAlert(page, turn)];
  if (answer.phase === "done" && (answer.sources.length === 0 || answer.relevant === false)) return describeNothing(page, turn);
  const words = describe(answer);
  return words ? [h("p", { class: "notice" }, words)] : [];
}

function describe({ phase, summary }) {
  if (phase === "stopped") return t("answer.stopped");
  if (phase === "interrupted") return t("answer.interrupted");
  return summary?.reason === "length" ? t("answer.cut") : "";
}

/** Nothing was found: because nothing is there, because only some was searched, or because nothing fits. */
function describeNothing(page, turn) {
  const { phase } = page.store.documents.value;
  if (phase === "loaded" && readableDocuments(page.store.documents.value).length === 0) {
    const words = t(page.may("write") ? "answer.noDocuments" : "documents.noneForYou");
    return [h("p", { class: "notice" }, words), createPick(page)].filter(Boolean);
  }
  if (!turn.options.documents?.length) return [h("p", { class: "notice" }, t("answer.nothing"))];
  const searchAll = () => {
    page.collection.choose([]);
    page.conversation.edit(turn, turn.question);
  };
  return [
    h(
      "div",
      { class: "notice choice-notice" },
      h("p", {}, t("answer.nothingChosen")),
      h("button", { type: "button", class: "action", onclick: searchAll }, h("span", {}, t("chosen.all"))),
    ),
  ];
}

function createAlert(page, turn) {
  const answer = turn.answer.value;
  const { failure } = answer;
  const retry = () => page.conversation.retry(turn);
  return h(
    "div",
    { class: "notice error", role: "alert", "data-kind": failure.part || failure.kind },
    h("p", {}, isModelGone(page, turn) ? t("error.noModel", turn.options) : explain(answer, nameModel(page, turn))),
    h(
      "div",
      { class: "ways-out" },
      h("button", { type: "button", class: "action", onclick: retry }, icon("retry"), h("span", {}, t("error.retry"))),
      isAboutModel(page, turn) ? offerOthers(page, turn) : [],
    ),
  );
}

/** What helps when this model cannot answer, or is not to. */
function offerOthers(page, turn) {
  const quote = () => page.conversation.edit(turn, turn.question, { model: "extractive" });
  const choose = () => document.getElementById("model")?.click();
  return [
    [t("error.choose"), choose],
    [t("error.quote"), quote],
  ].map(([words, onclick]) => h("button", { type: "button", class: "action", onclick }, words));
}

function isAboutModel(page, turn) {
  const { failure } = turn.answer.value;
  return failure.part === "model" || failure.kind === "unsent" || isModelGone(page, turn);
}

/** The question named a model that is not among those that are there. */
function isModelGone({ models, store }, { options, answer }) {
  const known = store.models.value.phase === "loaded" && !models.find(options.model);
  return Boolean(options.model) && answer.value.failure.kind === "refused" && known;
}

function nameModel({ models }, { options }) {
  return models.find(options.model)?.name ?? options.model;
}

function explain({ failure }, model) {
  if (failure.part === "model") return t("error.model", { message: failure.message });
  if (failure.part === "login") return t("error.login");
  switch (failure.kind) {
    case "gone":
      return t("error.gone");
    case "lost":
      return t("error.lost");
    case "refused":
      return failure.message || t("error.refused", { status: failure.status });
    case "broken":
      return t("error.broken", { message: failure.message });
    case "unsent":
      return t("error.unsent", { model });
    default:
      return t("error.incomplete");
  }
}
