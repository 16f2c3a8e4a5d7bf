/** Says, in words that differ, why an answer is not whole, and offers to ask again. */

import { t } from "../i18n/index.js";
import { h, icon } from "./dom.js";

/** The notice for an answer that is over, or null when there is nothing to say. */
export function createNotice(answer, retry) {
  if (answer.phase === "failed") return createAlert(answer, retry);
  const words = describe(answer);
  return words ? h("p", { class: "notice" }, words) : null;
}

function describe(answer) {
  if (answer.phase === "stopped") return t("answer.stopped");
  if (answer.phase === "interrupted") return t("answer.interrupted");
  if (answer.summary?.reason === "length") return t("answer.cut");
  return answer.sources.length === 0 ? t("answer.nothing") : "";
}

function createAlert(answer, retry) {
  return h(
    "div",
    { class: "notice error", role: "alert", "data-kind": answer.failure.kind },
    h("p", {}, explain(answer)),
    h("button", { type: "button", class: "action", onclick: retry }, icon("retry"), h("span", {}, t("error.retry"))),
  );
}

function explain({ failure, text, sources }) {
  const begun = text !== "" || sources.length > 0;
  switch (failure.kind) {
    case "gone":
      return t(begun ? "error.lost" : "error.gone");
    case "refused":
      return failure.message || t("error.refused", { status: failure.status });
    case "broken":
      return t("error.broken", { message: failure.message });
    default:
      return t("error.incomplete");
  }
}
