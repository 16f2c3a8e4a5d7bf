/** The small print under an answer: who wrote it, where, how fast, and what was left out. */

import { t } from "../i18n/index.js";
import { h } from "./dom.js";
import { formatSpeed } from "./insight.js";

const QUOTING = "extractive";

/** A paragraph, or null for an answer without its last line. */
export function describeFoot(answer, question) {
  const { summary } = answer;
  if (!summary) return null;
  const remote = summary.services.filter((service) => !service.local);
  // Sentences that are quoted as they stand were not written by a model, at no speed worth a number.
  const quoted = summary.model === QUOTING;
  const parts = [
    quoted ? t("answer.quoted") : summary.model,
    summary.fallback?.length > 0 && t("answer.instead", { models: summary.fallback.map((one) => one.model).join(", ") }),
    describePlace(summary.services, remote),
    !quoted && summary.tokensPerSecond > 0 && t("answer.speed", { speed: formatSpeed(summary.tokensPerSecond) }),
    summary.leftOut > 0 && t("answer.leftOut", { n: summary.leftOut }),
    answer.query && answer.query !== question && t("answer.searched", { query: answer.query }),
  ].filter(Boolean);
  return h("p", { class: remote.length ? "foot remote" : "foot" }, parts.join(" · "));
}

function describePlace(services, remote) {
  if (services.length === 0) return "";
  if (remote.length === 0) return t("answer.local");
  return t("answer.remote", { services: remote.map(({ name, host }) => `${name} (${host})`).join(", ") });
}
