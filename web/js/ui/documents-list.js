/** The loaded documents: found, sorted, opened, deleted, chosen for the questions to come. */

import { MAX_CHOSEN } from "../api/collection.js";
import { fold } from "../api/history.js";
import { currentLanguage, t } from "../i18n/index.js";
import { createDocumentRow } from "./documents-row.js";
import { createRows } from "./documents-rows.js";
import { h } from "./dom.js";

/** More rows than anybody reads; the search finds the others. */
const MAX_ROWS = 200;
const SORTS = {
  name: ["documents.byName", null],
  added: ["documents.byDate", ({ added_at }) => -added_at],
  pages: ["documents.byPages", ({ pages }) => -pages],
  size: ["documents.bySize", ({ size }) => -size],
};

/** @param {{store: object, collection: object}} page */
export function createList(page) {
  const { store, collection } = page;
  const search = h("input", { type: "search", oninput: draw, ...named("documents.search"), placeholder: t("documents.search") });
  const options = Object.entries(SORTS).map(([value, [key]]) => h("option", { value }, t(key)));
  const sort = h("select", { class: "language", onchange: draw, ...named("documents.sort") }, options);
  const tools = h("div", { class: "list-tools" }, search, sort);
  const words = h("p", { class: "facts", "aria-live": "polite" });
  const all = textButton("documents.all", () => collection.choose(union(chosen(), found().map(({ id }) => id))));
  const none = textButton("documents.clear", () => {
    collection.choose([]);
    all.focus();
  });
  const choice = h("div", { class: "choice" }, words, all, none);
  const list = h("ul", { class: "document-list" });
  const rest = h("p", { class: "facts" });
  const alert = h("p", { class: "notice error", role: "alert", hidden: true });
  const element = h("section", { "aria-label": t("documents.title") }, tools, choice, alert, list, rest);
  const show = createRows(
    list,
    ({ id }) => id,
    () => createDocumentRow(page, remove),
  );

  const chosen = () => store.options.value.documents;
  const found = () => sortDocuments(findDocuments(store.documents.value.list, search.value), sort.value);

  async function remove(entry) {
    alert.hidden = true;
    try {
      await collection.remove(entry);
      // Toasts are drawn when the store changes: the newest is the last one.
      document.querySelector(".toast:last-of-type button")?.focus();
    } catch {
      alert.textContent = t("documents.notDeleted", { name: entry.name });
      alert.hidden = false;
    }
  }
  function draw() {
    const { phase, list: documents } = store.documents.value;
    const shown = found();
    tools.hidden = choice.hidden = documents.length < 2;
    const place = nameCollections(documents);
    const only = documents.length < 2;
    show(shown.slice(0, MAX_ROWS).map((one) => ({ ...one, place: place(one), chosen: chosen().includes(one.id), only })));
    rest.textContent = describeRest(phase, documents.length, shown.length);
    rest.hidden = rest.textContent === "";
    describeChoice();
  }
  function describeChoice() {
    const n = chosen().length;
    words.textContent = n ? t("documents.chosen", { n }) : t("documents.allSearched");
    none.hidden = n === 0;
    all.hidden = found().length > MAX_CHOSEN;
  }
  const ends = [store.documents.subscribe(draw), store.options.subscribe(draw)];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

/** Calls a document's collection by its name; by "" where all documents are in one. */
function nameCollections(documents) {
  const several = countCollections(documents) > 1;
  return ({ collection }) => (several ? collection || t("documents.common") : "");
}

/** In how many collections they are. Pure. */
export function countCollections(documents) {
  return new Set(documents.map(({ collection }) => collection ?? "")).size;
}

/** Those whose name or title holds every word of `text`. Pure. */
export function findDocuments(documents, text) {
  const words = fold(text).split(/\s+/).filter(Boolean);
  return documents.filter(({ name, title }) => {
    const known = fold(`${name} ${title ?? ""}`);
    return words.every((word) => known.includes(word));
  });
}

/** By name, newest, longest or largest first; those that are alike in that, by name. Pure. */
export function sortDocuments(documents, by) {
  const { compare } = new Intl.Collator(currentLanguage(), { numeric: true });
  const rank = SORTS[by][1] ?? (() => 0);
  return [...documents].sort((a, b) => rank(a) - rank(b) || compare(a.name, b.name));
}

function describeRest(phase, all, shown) {
  if (phase !== "loaded") return t(`documents.${phase}`);
  if (all === 0) return t("documents.none");
  if (shown === 0) return t("history.noMatch");
  return shown > MAX_ROWS ? t("documents.more", { n: shown - MAX_ROWS }) : "";
}

function union(some, others) {
  return [...new Set([...some, ...others])].slice(0, MAX_CHOSEN);
}

function named(key) {
  return { "aria-label": t(key) };
}

function textButton(key, onclick) {
  return h("button", { type: "button", class: "text-button", onclick }, t(key));
}
