/** What stands where the conversation will be: what this is, what is loaded, what could be asked. */

import { t } from "../i18n/index.js";
import { readableDocuments } from "../store.js";
import { createPick } from "./documents-pick.js";
import { h } from "./dom.js";

const EXAMPLES = ["example.about", "example.points", "example.conclude"];
const MAX_TITLE = 60;
const SAMPLE = "guia-do-acervo.pdf";
const SAMPLE_EXAMPLES = ["example.sample.add", "example.sample.leaves", "example.sample.cites"];

/** @param {{store: object, conversation: object}} page */
export function createEmpty(page) {
  const element = h("section", { class: "empty" });
  const end = page.store.documents.subscribe((state) => {
    const nothing = state.phase === "loaded" && state.list.length === 0;
    element.replaceChildren(...(nothing ? explainLoading(page) : welcome(state, page)));
  });
  return { element, destroy: end };
}

function welcome(state, page) {
  const readable = readableDocuments(state);
  return [
    h("h2", {}, t("empty.title")),
    h("p", { class: "lead" }, t("empty.what")),
    h("p", { class: "loaded" }, describeLoaded(state.phase, readable)),
    readable.length > 0 && suggestions(readable, page),
  ].filter(Boolean);
}

function describeLoaded(phase, readable) {
  if (phase !== "loaded") return t(`documents.${phase}`);
  const pages = readable.reduce((sum, document) => sum + (document.pages ?? 0), 0);
  return t("empty.loaded", {
    documents: t("documents.count", { n: readable.length }),
    pages: t("documents.pages", { n: pages }),
  });
}

function suggestions(documents, page) {
  const onlySample = documents.length === 1 && documents[0].name === SAMPLE;
  // A long title makes a question that finds its own words instead of an answer.
  const titles = documents.map(titleOf).filter((title) => title.length <= MAX_TITLE);
  if (!onlySample && titles.length === 0) return null;
  const buttons = (onlySample ? SAMPLE_EXAMPLES : EXAMPLES).map((key, index) => {
    const question = t(key, { title: titles[index % titles.length] });
    return h(
      "li",
      {},
      h("button", { type: "button", class: "example", onclick: () => page.conversation.ask(question) }, question),
    );
  });
  return h("div", {}, h("h3", { class: "small-title" }, t("empty.try")), h("ul", { class: "examples" }, buttons));
}

function explainLoading(page) {
  return [
    h("h2", {}, t("empty.none.title")),
    h("p", { class: "lead" }, t("empty.what")),
    createPick(page),
    h("p", { class: "loaded" }, t("empty.none.what", { folder: "pdf/" })),
    h("pre", { tabindex: 0 }, h("code", {}, "make load")),
  ];
}

function titleOf(document) {
  return document.title || document.name.replace(/\.pdf$/i, "");
}
