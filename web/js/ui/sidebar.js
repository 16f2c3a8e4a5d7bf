/** The kept conversations: beside the conversation where there is room, else a drawer over it. */

import { t } from "../i18n/index.js";
import { fold } from "../api/history.js";
import { h, icon, iconButton } from "./dom.js";
import { createMenu } from "./popover.js";
import { createKeeping } from "./sidebar-files.js";
import { createList } from "./sidebar-list.js";

const SEARCH_MS = 150;

/** @param {{store: object, conversation: object, library: object, startNew: () => void, hideSidebar: () => void}} page */
export function createSidebar(page) {
  const { store, library } = page;
  const menu = createMenu();
  const note = h("div", { class: "sidebar-note", "aria-live": "polite" });
  const keeping = createKeeping(page, note);
  const list = createList(page, menu, keeping);
  const search = h("input", {
    type: "search",
    class: "sidebar-search",
    placeholder: t("history.search"),
    "aria-label": t("history.search"),
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(find, SEARCH_MS);
    },
  });
  const all = menu.attach(iconButton("more", t("history.all"), null), keeping.describeAll);
  const element = h(
    "nav",
    { class: "sidebar", id: "sidebar", "aria-labelledby": "sidebar-title", hidden: true },
    h(
      "div",
      { class: "sidebar-bar" },
      h("h2", { id: "sidebar-title" }, t("history.title")),
      all,
      iconButton("close", t("history.hide"), page.hideSidebar, { class: "icon-button sidebar-close" }),
    ),
    h("button", { type: "button", class: "new-conversation", onclick: page.startNew }, icon("plus"), t("nav.new")),
    search,
    list.element,
    note,
    menu.element,
  );
  let timer = 0;

  async function find() {
    const words = search.value.trim();
    list.filter(words ? await matches(words) : null);
  }
  async function matches(words) {
    const texts = await library.search(words);
    const wanted = fold(words);
    return ({ id, title }) => texts.has(id) || fold(title).includes(wanted);
  }

  const ends = [
    store.conversations.subscribe(() => search.value.trim() && void find()),
    store.sidebar.subscribe((open) => {
      element.hidden = !open;
    }),
    list.destroy,
  ];
  return { element, destroy: () => ends.forEach((end) => end()) };
}
