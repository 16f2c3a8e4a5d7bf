/** Wires the page: store, services, components, and the keys that belong to all of them. */

import { createConversation } from "./api/conversation.js";
import { listDocuments, readReadiness } from "./api/server.js";
import { preferredLanguage, rememberLanguage, t, useLanguage } from "./i18n/index.js";
import { loadLibraries } from "./render/markdown.js";
import { createStore } from "./store.js";
import { createComposer } from "./ui/composer.js";
import { createDocuments } from "./ui/documents.js";
import { h } from "./ui/dom.js";
import { createHeader } from "./ui/header.js";
import { createLog } from "./ui/log.js";
import { createPagePanel } from "./ui/page-panel.js";

const RETRY_READY_MS = 5000;

const root = document.getElementById("app");
const store = createStore();
const page = {
  store,
  libraries: null,
  conversation: createConversation(store, { onGone: refreshReadiness }),
  showSource,
  hideSource,
  changeLanguage,
};

const narrow = matchMedia("(width < 60rem)");

let mounted = [];
let opener = null;
let readyTimer = 0;

await Promise.all([
  useLanguage(preferredLanguage()),
  loadLibraries().then((libraries) => (page.libraries = libraries)),
]);
mount();
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) hideSource();
});
store.shown.subscribe(makeRoom);
narrow.addEventListener("change", makeRoom);
// What was loaded meanwhile shows when the person comes back to the page, and after each answer.
document.addEventListener("visibilitychange", () => document.hidden || refreshDocuments());
store.answering.subscribe((answering) => answering || refreshDocuments());
void refreshReadiness();

/** Build every component from the store; the language is read while they are built. */
function mount() {
  for (const component of mounted) component.destroy();
  const documents = createDocuments(store);
  const composer = createComposer(page);
  const header = createHeader({ ...page, showDocuments: documents.open });
  const log = createLog(page);
  const panel = createPagePanel(page);
  mounted = [header, log, composer, panel, documents];
  root.replaceChildren(
    h("a", { class: "skip", href: "#question" }, t("app.skip")),
    header.element,
    h(
      "main",
      {},
      log.element,
      page.libraries ? null : h("p", { class: "notice plain-notice" }, t("app.plain")),
      composer.element,
    ),
    panel.element,
    documents.element,
  );
  composer.focus();
  makeRoom();
}

/** The panel stands beside the conversation, or on a narrow screen over it. */
function makeRoom() {
  const open = Boolean(store.shown.value);
  root.classList.toggle("with-panel", open);
  for (const part of root.querySelectorAll(":scope > :is(header, main)")) part.inert = open && narrow.matches;
}

async function changeLanguage(language) {
  await useLanguage(language);
  rememberLanguage(language);
  mount();
  document.getElementById("language").focus();
}

function showSource(turn, n, from) {
  if (from) opener = from;
  store.shown.value = { turn, n };
}

function hideSource() {
  if (!store.shown.value) return;
  store.shown.value = null;
  const target = opener?.isConnected ? opener : document.getElementById("question");
  target.focus();
  opener = null;
}

async function refreshDocuments() {
  try {
    const list = await listDocuments();
    const { phase, list: shown } = store.documents.value;
    if (phase === "loaded" && JSON.stringify(list) === JSON.stringify(shown)) return;
    store.documents.value = { phase: "loaded", list };
  } catch {
    store.documents.value = { phase: "failed", list: [] };
  }
}

/** Ask how the server is, and keep asking for as long as it is not ready. */
async function refreshReadiness() {
  clearTimeout(readyTimer);
  try {
    store.readiness.value = await readReadiness();
  } catch {
    store.readiness.value = "gone";
  }
  if (store.readiness.value.ready) {
    if (store.documents.value.phase === "failed") void refreshDocuments();
    return;
  }
  readyTimer = setTimeout(refreshReadiness, RETRY_READY_MS);
}
