/** Wires the page: store, services, components, and the keys that belong to all of them. */

import { createAdding } from "./adding.js";
import { followAddress } from "./address.js";
import { createCollection } from "./api/collection.js";
import { createConversation } from "./api/conversation.js";
import { createHistory } from "./api/history.js";
import { createLibrary } from "./api/library.js";
import { readMe } from "./api/me.js";
import { createModels } from "./api/models.js";
import { whenLoggedOut } from "./api/requests.js";
import { openMemory, openRows } from "./api/rows.js";
import { readReadiness } from "./api/server.js";
import { preferredLanguage, rememberLanguage, t, useLanguage } from "./i18n/index.js";
import { createLayout } from "./layout.js";
import { createEnd, followLogOut, takeDraft } from "./leaving.js";
import { recall, setOwner } from "./memory.js";
import { loadLibraries } from "./render/markdown.js";
import { createStore } from "./store.js";
import { createComposer } from "./ui/composer.js";
import { askConsent } from "./ui/consent.js";
import { createChosen } from "./ui/documents-chosen.js";
import { createUndo } from "./ui/documents-undo.js";
import { createDocuments } from "./ui/documents.js";
import { h } from "./ui/dom.js";
import { createDrop } from "./ui/drop.js";
import { createHeader } from "./ui/header.js";
import { createLog } from "./ui/log.js";
import { createMessage } from "./ui/message.js";
import { REWRITE } from "./ui/options.js";
import { createPagePanel } from "./ui/page-panel.js";
import { createSidebar } from "./ui/sidebar.js";

const RETRY_READY_MS = 5000;

const root = document.getElementById("app");
const store = createStore();
const layout = createLayout(root, store);

let mounted = [];
let readyTimer = 0;

const [me, libraries] = await Promise.all([readMe(), loadLibraries(), useLanguage(preferredLanguage())]);
setOwner(me.name);
store.options.value = { ...store.options.value, rewrite: !recall(REWRITE) };
store.draft.value = takeDraft(me.name);
const [rows, account] = await Promise.all([
  me.unknown ? openMemory() : openRows().catch(openMemory),
  // Where nobody logs in, nothing of it is fetched.
  me.login ? import("./ui/account.js") : null,
]);
const collection = createCollection(store);
const adding = createAdding(store, collection.refresh);
const history = createHistory(rows);
const models = createModels(store, askConsent);
const conversation = createConversation(store, { onGone: refreshReadiness, history, permit: models.permit });
const page = {
  store,
  me,
  may: (scope) => me.scopes.includes(scope),
  account,
  libraries,
  conversation,
  collection,
  adding,
  models,
  library: createLibrary(store, history, conversation),
  ...layout,
  startNew,
  changeLanguage,
};
whenLoggedOut(createEnd(store, me.name, history.list));
if (me.login) followLogOut(me.name);
if (!history.kept) store.message.value = "history.unkept";
await followAddress(store, conversation, () => (store.message.value = "history.missing"));
mount();
page.library.refresh().then(layout.restoreSidebar);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) layout.escape();
});
addEventListener("pagehide", conversation.flush);
// Nobody listens to the answers of another conversation.
store.conversation.subscribe(() => globalThis.speechSynthesis?.cancel());
// What was loaded meanwhile shows when the person comes back to the page, and after each answer.
document.addEventListener("visibilitychange", () => document.hidden || lookAtDocuments());
store.answering.subscribe((answering) => answering || collection.refresh());
resumeAdding();
void refreshReadiness();
void models.refresh();

/** Build every component from the store; the language is read while they are built. */
function mount() {
  for (const component of mounted) component.destroy();
  const documents = createDocuments(page);
  const chosen = createChosen(page);
  const undo = createUndo(page);
  const drop = page.may("write") ? createDrop(page) : null;
  const composer = createComposer(page);
  const header = createHeader(page);
  const sidebar = createSidebar(page);
  const log = createLog(page);
  const message = createMessage(store);
  const panel = createPagePanel(page);
  mounted = [header, sidebar, log, message, chosen, composer, panel, documents, undo, drop].filter(Boolean);
  root.replaceChildren(
    h("a", { class: "skip", href: "#question" }, t("app.skip")),
    header.element,
    sidebar.element,
    h("div", { class: "scrim", onclick: layout.hideSidebar }),
    h(
      "main",
      {},
      log.element,
      page.libraries ? null : h("p", { class: "notice plain-notice" }, t("app.plain")),
      message.element,
      chosen.element,
      composer.element,
    ),
    panel.element,
    ...documents.elements,
    undo.element,
    drop?.element ?? "",
  );
  composer.focus();
  layout.makeRoom();
}

function startNew() {
  conversation.begin();
  layout.leaveSidebar();
  document.getElementById("question").focus();
}

async function changeLanguage(language) {
  await useLanguage(language);
  rememberLanguage(language);
  mount();
  document.getElementById("language").focus();
}

function lookAtDocuments() {
  void collection.refresh();
  resumeAdding();
}

function resumeAdding() {
  if (page.may("write")) void adding.resume();
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
    if (store.documents.value.phase === "failed") lookAtDocuments();
    return;
  }
  readyTimer = setTimeout(refreshReadiness, RETRY_READY_MS);
}
