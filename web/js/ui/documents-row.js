/** One loaded document: what it is, how far it is read, and the buttons for it. */

import { fileAddress } from "../api/server.js";
import { formatBytes, formatDate, formatLanguage, isolate, t } from "../i18n/index.js";
import { addsToName } from "../store.js";
import { createPageLink } from "./documents-address.js";
import { h, iconButton } from "./dom.js";

/**
 * A row whose `update` takes a document with `chosen`, `only` where there is nothing to choose from, and
 * `place`, the collection where there are several.
 */
export function createDocumentRow({ collection, may }, remove) {
  const box = h("input", { type: "checkbox", onchange: () => collection.toggle(shown.id, box.checked) });
  const link = h("a", { target: "_blank", rel: "noopener" });
  const facts = h("div");
  const trash = iconButton("trash", "", () => remove(shown), { hidden: !may("write") });
  const element = h("li", {}, box, h("div", { class: "what" }, link, facts), trash);
  let shown = {};
  let drawn = "";

  function update({ chosen, only, ...entry }) {
    shown = entry;
    box.checked = chosen;
    box.hidden = only || entry.state === "failed";
    const now = JSON.stringify(entry);
    if (now === drawn) return;
    drawn = now;
    box.ariaLabel = t("documents.choose", { name: entry.name });
    trash.ariaLabel = trash.title = t("documents.delete", { name: entry.name });
    link.href = fileAddress(entry.id);
    link.textContent = entry.name;
    facts.replaceChildren(...describe(entry));
  }
  return { element, update };
}

function describe(entry) {
  const { title, pages, chunks, size, language, origin, added_at, place } = entry;
  const extent = [pages > 0 && t("documents.pages", { n: pages }), chunks > 0 && t("documents.chunks", { n: chunks }), formatBytes(size)];
  const origins = [place, language && formatLanguage(language), formatDate(added_at), origin === "folder" && t("documents.folder")];
  return [
    addsToName(entry) && h("p", { class: "title" }, title),
    ...[extent, origins].map((facts) => h("p", { class: "facts" }, facts.filter(Boolean).join(" · "))),
    createPageLink(entry),
    describeState(entry),
    ...describeNotes(entry.notes ?? []),
  ].filter(Boolean);
}

function describeState({ state, reason, chunks }) {
  if (state === "failed") return h("p", { class: "reason" }, `${t("documents.state.failed")}: ${isolate(reason)}`);
  if (state !== "ready") return h("p", { class: "state" }, t(`documents.state.${state}`));
  return chunks === 0 ? h("p", { class: "reason" }, t("refusal.noText")) : null;
}

function describeNotes(notes) {
  if (notes.length < 2) return notes.map((note) => h("p", { class: "facts" }, note));
  const lines = notes.map((note) => h("li", {}, note));
  return [h("details", { class: "facts" }, h("summary", {}, t("documents.notes", { n: notes.length })), h("ul", {}, lines))];
}
