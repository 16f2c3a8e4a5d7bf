/** Which of the page's parts are open, what they leave free, and where the focus goes with them. */

import { recall, remember } from "./memory.js";

const REMEMBERED = "acervo.sidebar";

/** Below this width the sidebar and the page of a source lie over the conversation. */
const narrow = matchMedia("(width < 60rem)");

/**
 * @param {HTMLElement} root
 * @param {ReturnType<import("./store.js").createStore>} store
 */
export function createLayout(root, store) {
  let opener = null;
  const setSidebar = (open) => {
    store.sidebar.value = open;
  };
  const focusQuestion = () => document.getElementById("question").focus();

  function makeRoom() {
    const panel = Boolean(store.shown.value);
    const documents = store.documentsOpen.value;
    const sidebar = store.sidebar.value;
    root.classList.toggle("with-panel", panel);
    root.classList.toggle("with-documents", documents && !panel);
    root.classList.toggle("with-sidebar", sidebar);
    for (const part of root.querySelectorAll(":scope > :is(header, main, .scrim)")) {
      part.inert = narrow.matches && (panel || documents || sidebar) && !(sidebar && part.matches(".scrim"));
    }
  }
  const layout = {
    makeRoom,
    /** The sidebar as the person left it; where there was no choice yet, open once there is something in it. */
    restoreSidebar() {
      const wish = recall(REMEMBERED);
      if (!narrow.matches) setSidebar(wish ? wish === "open" : Boolean(store.conversations.value?.length));
    },
    toggleSidebar() {
      setSidebar(!store.sidebar.value);
      if (!narrow.matches) remember(REMEMBERED, store.sidebar.value ? "open" : "closed");
      else root.querySelector(".new-conversation").focus();
    },
    hideSidebar() {
      layout.toggleSidebar();
      document.getElementById("show-sidebar").focus();
    },
    /** A drawer has done its work when a conversation was chosen. */
    leaveSidebar() {
      if (!narrow.matches) return;
      setSidebar(false);
      root.querySelector(".scroller").focus();
    },
    showSource(turn, n, from) {
      if (from) opener = from;
      store.shown.value = { turn, n };
    },
    hideSource() {
      if (!store.shown.value) return;
      store.shown.value = null;
      if (opener?.isConnected) opener.focus();
      else focusQuestion();
      opener = null;
    },
    showDocuments() {
      if (narrow.matches) setSidebar(false);
      store.shown.value = null;
      store.documentsOpen.value = true;
      root.querySelector(".documents").focus();
    },
    hideDocuments() {
      store.documentsOpen.value = false;
      document.getElementById("show-documents").focus();
    },
    /** Esc closes what lies on top. */
    escape() {
      if (narrow.matches && store.sidebar.value && !store.shown.value) layout.hideSidebar();
      else if (store.documentsOpen.value && !store.shown.value) layout.hideDocuments();
      else layout.hideSource();
    },
  };

  store.shown.subscribe(makeRoom);
  store.sidebar.subscribe(makeRoom);
  store.documentsOpen.subscribe(makeRoom);
  narrow.addEventListener("change", () => {
    if (narrow.matches) setSidebar(false);
    else layout.restoreSidebar();
    makeRoom();
  });
  return layout;
}
