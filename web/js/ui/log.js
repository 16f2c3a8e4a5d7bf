/** The conversation: one article for each turn, in a region that follows its own end. */

import { t } from "../i18n/index.js";
import { createAnswer } from "./answer.js";
import { h, iconButton } from "./dom.js";
import { createEmpty } from "./empty.js";
import { followEnd } from "./follow.js";

/** @param {{store: object, conversation: object, libraries: object | null}} page */
export function createLog(page) {
  const list = h("div", { class: "turns" });
  const scroller = h("div", { class: "scroller", role: "region", "aria-label": t("log.label"), tabindex: 0 }, list);
  const toEnd = iconButton("down", t("log.toEnd"), () => follow.resume(), {
    class: "icon-button to-end",
    hidden: true,
  });
  const follow = followEnd(scroller, list, {
    isGrowing: () => Boolean(page.store.answering.value),
    onChange: (following) => {
      toEnd.hidden = following || page.store.turns.value.length === 0;
    },
  });
  const shown = new Map();
  let empty = null;

  function draw(turns) {
    dropGone(shown, turns);
    for (const turn of turns) {
      if (shown.has(turn.id)) continue;
      const article = createAnswer(page, turn);
      shown.set(turn.id, article);
      list.append(article.element);
      follow.resume();
    }
    empty = switchEmpty(empty, turns.length === 0, page, list);
  }

  const end = page.store.turns.subscribe(draw);
  return {
    element: h("div", { class: "log" }, scroller, toEnd),
    destroy() {
      end();
      follow.destroy();
      empty?.destroy();
      for (const article of shown.values()) article.destroy();
    },
  };
}

function dropGone(shown, turns) {
  const kept = new Set(turns.map((turn) => turn.id));
  for (const [id, article] of shown) {
    if (kept.has(id)) continue;
    article.destroy();
    article.element.remove();
    shown.delete(id);
  }
}

function switchEmpty(empty, wanted, page, list) {
  if (wanted === Boolean(empty)) return empty;
  if (!wanted) {
    empty.destroy();
    empty.element.remove();
    return null;
  }
  const created = createEmpty(page);
  list.append(created.element);
  return created;
}
