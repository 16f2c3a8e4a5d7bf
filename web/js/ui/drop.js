/** Files may be dropped anywhere on the page; while they are dragged over it, the page says so. */

import { t } from "../i18n/index.js";
import { h, icon } from "./dom.js";
import { ENDINGS } from "./files.js";

/** @param {{adding: {add: (files: File[], leftOut: number) => void}}} page */
export function createDrop(page) {
  const element = h(
    "div",
    { class: "drop", hidden: true },
    h("p", {}, icon("upload"), h("strong", {}, t("drop.here")), t("drop.what")),
  );
  // A picture of the page itself is dragged as a file, too.
  let own = false;
  const carriesFiles = (event) => !own && Boolean(event.dataTransfer?.types.includes("Files"));
  function allow(event) {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    element.hidden = false;
  }

  const handlers = {
    dragstart: () => (own = true),
    dragend: () => (own = false),
    // Also where something enters: when what was below the pointer has been drawn anew, no dragover comes before the drop.
    dragenter: allow,
    dragover: allow,
    dragleave(event) {
      if (!event.relatedTarget) element.hidden = true;
    },
    // None comes while something is dragged: it has left from above what has been drawn anew, and nobody was told.
    pointermove: () => (element.hidden = true),
    async drop(event) {
      element.hidden = true;
      if (!carriesFiles(event)) return;
      event.preventDefault();
      const { files, leftOut } = await collectFiles(event.dataTransfer);
      page.adding.add(files, leftOut);
    },
  };
  const listening = new AbortController();
  for (const [name, handler] of Object.entries(handlers)) addEventListener(name, handler, listening);
  return { element, destroy: () => listening.abort() };
}

/** What was dropped: single files as they are; of folders, and theirs, what can be loaded. */
async function collectFiles(transfer) {
  // The list of items is empty after the event; its entries stay.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  const found = { files: [], leftOut: 0 };
  for (const entry of entries) await (entry.isDirectory ? addFolder(entry, found) : addFile(entry, found));
  return found;
}

async function addFile(entry, found) {
  const read = (resolve, reject) => entry.file(resolve, reject);
  found.files.push(entry instanceof File ? entry : await new Promise(read).catch(() => asUnread(entry)));
}

async function addFolder(folder, found) {
  const reader = folder.createReader();
  const read = (resolve, reject) => reader.readEntries(resolve, reject);
  const giveUp = () => void found.files.push(asUnread(folder));
  // A part of the entries at each call, none after the last.
  for (let part; (part = await new Promise(read).catch(giveUp))?.length; ) {
    for (const entry of part) {
      if (!entry.name) found.files.push(asUnread(entry));
      else if (entry.isDirectory) await addFolder(entry, found);
      else if (ENDINGS.some((ending) => entry.name.toLowerCase().endsWith(ending))) await addFile(entry, found);
      else if (!entry.name.startsWith(".")) found.leftOut += 1;
    }
  }
}

/** Stands among the files for what the browser may not read, or whose name it cannot: that is empty, and told as folder/?. */
function asUnread({ name, fullPath }) {
  return { name: name || `${fullPath.slice(1)}?`, size: 0, unread: true };
}
