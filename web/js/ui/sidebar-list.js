/** The list in the sidebar, by day; a title can be changed where it stands. */

import { formatDay, t } from "../i18n/index.js";
import { groupByDay } from "../titles.js";
import { h, iconButton } from "./dom.js";

const MAX_TITLE = 200;

/**
 * @param {{store: object, library: object, hideSidebar: Function}} page
 * @param {ReturnType<import("./popover.js").createMenu>} menu
 * @param {{describeOne: Function}} keeping what can be done with one conversation
 */
export function createList(page, menu, keeping) {
  const { store, library } = page;
  const element = h("div", {
    class: "sidebar-list",
    onclick: (event) => event.target.closest("a") && page.leaveSidebar(),
  });
  let wanted = null;
  let renaming = "";

  function draw() {
    if (renaming) return;
    const list = (store.conversations.value ?? []).filter(wanted ?? (() => true));
    element.replaceChildren(...(list.length ? groupByDay(list).map(drawDay) : [drawNone(Boolean(wanted))]));
    mark(store.conversation.value);
  }
  function drawDay({ day, list }) {
    return h("section", {}, h("h3", {}, formatDay(day)), h("ul", {}, list.map(drawRow)));
  }
  function drawRow(entry) {
    const more = iconButton("more", t("history.more", { title: entry.title }), null);
    menu.attach(more, () => [[t("history.rename"), () => rename(entry)], ...keeping.describeOne(entry)]);
    const link = h("a", { href: `#c=${entry.id}`, title: entry.title }, h("bdi", {}, entry.title));
    return h("li", { "data-id": entry.id }, link, more);
  }
  function mark(id) {
    element.querySelector("[aria-current]")?.removeAttribute("aria-current");
    find(id)?.querySelector("a")?.setAttribute("aria-current", "page");
  }
  const find = (id) => element.querySelector(`[data-id="${CSS.escape(id)}"]`);

  function rename(entry) {
    renaming = entry.id;
    const input = createInput(entry.title, (title, byKey) => {
      renaming = "";
      if (title && title !== entry.title) library.rename(entry.id, title);
      draw();
      if (byKey) find(entry.id)?.querySelector("button").focus();
    });
    find(entry.id)?.replaceChildren(input);
    input.focus();
    input.select();
  }

  const ends = [store.conversations.subscribe(draw), store.conversation.subscribe(mark)];
  return {
    element,
    /** Show those for which `test` holds; null shows all. */
    filter(test) {
      wanted = test;
      draw();
    },
    destroy: () => ends.forEach((end) => end()),
  };
}

/** Calls `done` once: with the new title, or "" when nothing is to change, and whether a key said so. */
function createInput(title, done) {
  let over = false;
  const end = (words, byKey) => {
    if (over) return;
    over = true;
    done(words.trim(), byKey);
  };
  const input = h("input", {
    "aria-label": t("history.rename"),
    maxlength: MAX_TITLE,
    onblur: () => end(input.value, false),
    onkeydown: (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      event.stopPropagation();
      // Else the button that gets the focus is pressed by the same key.
      event.preventDefault();
      end(event.key === "Enter" ? input.value : "", true);
    },
  });
  input.value = title;
  return input;
}

function drawNone(searching) {
  return h("p", { class: "sidebar-none" }, t(searching ? "history.noMatch" : "history.none"));
}
