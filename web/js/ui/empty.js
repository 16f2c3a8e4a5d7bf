/** What stands where the conversation will be: what this is, what is loaded, what could be asked. */

import { listTopics } from "../api/server.js";
import { currentLanguage, t } from "../i18n/index.js";
import { readableDocuments } from "../store.js";
import { createPick } from "./documents-pick.js";
import { h } from "./dom.js";

const MAX_QUESTIONS = 3;
/** A long title makes a question that finds its own words instead of an answer. */
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

/** Three questions that the documents answer; those about headings come when the server has tried them. */
function suggestions(documents, page) {
  const list = h("ul", { class: "examples" });
  const element = h("div", { hidden: true }, h("h3", { class: "small-title" }, t("empty.try")), list);
  function show(questions) {
    list.replaceChildren(...questions.map((question) => h("li", {}, createExample(page, question))));
    element.hidden = questions.length === 0;
  }
  if (documents.length === 1 && documents[0].name === SAMPLE) show(SAMPLE_EXAMPLES.map((key) => t(key)));
  else
    listTopics(currentLanguage())
      .catch(() => [])
      .then((topics) => show(makeQuestions(topics, documents)));
  return element;
}

/** Questions about these topics, then about whole documents. Pure. */
export function makeQuestions(topics, documents) {
  const asked = topics.map(({ heading }) => (heading.endsWith("?") ? heading : t("example.topic", { heading })));
  const titles = [...new Set(documents.map(titleOf))].filter((title) => title.length <= MAX_TITLE);
  return [...asked, ...titles.map((title) => t("example.about", { title }))].slice(0, MAX_QUESTIONS);
}

function createExample(page, question) {
  return h("button", { type: "button", class: "example", onclick: () => page.conversation.ask(question) }, question);
}

function explainLoading(page) {
  if (!page.may("write")) return [h("h2", {}, t("empty.none.title")), h("p", { class: "lead" }, t("documents.noneForYou"))];
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
