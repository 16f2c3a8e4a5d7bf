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

  let conversation = "";

  function draw(turns) {
    const step = dropGone(shown, turns);
    const added = turns.filter((turn) => !shown.has(turn.id));
    for (const turn of added) {
      const article = createAnswer(page, turn);
      shown.set(turn.id, article);
      list.append(article.element);
    }
    // Another version of a question is read from where it stands; everything else from its end.
    if (added.at(-1)?.answer.value.phase === "waiting" || conversation !== page.store.conversation.value) follow.resume();
    conversation = page.store.conversation.value;
    keepFocus(step, added[0] && shown.get(added[0].id).element);
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

/** Remove the articles of other turns. Returns what had the focus in them: the name of a button, "" or undefined. */
function dropGone(shown, turns) {
  const kept = new Set(turns.map((turn) => turn.id));
  let step;
  for (const [id, article] of shown) {
    if (kept.has(id)) continue;
    if (article.element.contains(document.activeElement)) step = document.activeElement.dataset.step ?? "";
    article.destroy();
    article.element.remove();
    shown.delete(id);
  }
  return step;
}

/** A focus that went with its article goes to the same button of the one in its place, or to the question. */
function keepFocus(step, article) {
  if (step === undefined) return;
  const other = { previous: "next", next: "previous" }[step];
  const find = (name) => name && article?.querySelector(`[data-step="${name}"]:not(:disabled)`);
  (find(step) || find(other) || document.getElementById("question"))?.focus();
}

function switchEmpty(empty, wanted, page, list) {
  if (wanted === Boolean(empty)) return empty;
  if (!wanted) {
    if (empty.element.contains(document.activeElement)) document.getElementById("question")?.focus();
    empty.destroy();
    empty.element.remove();
    return null;
  }
  const created = createEmpty(page);
  list.append(created.element);
  return created;
}
