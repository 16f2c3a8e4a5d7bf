/** The conversation: an article for each of its last turns, for others on demand, in a region that follows its end. */

import { t } from "../i18n/index.js";
import { createAnswer } from "./answer.js";
import { h, iconButton } from "./dom.js";
import { createEmpty } from "./empty.js";
import { followEnd } from "./follow.js";

/** Articles that a conversation begins with, and that each request for earlier ones adds: more take more memory. */
const SHOWN = 50;
/** Of these so many are drawn before anything else happens. */
const AT_ONCE = 6;
/** Of an idle moment this much has to be left to draw one more answer. */
const SPARE_MS = 5;

/** @param {{store: object, conversation: object, libraries: object | null}} page */
export function createLog(page) {
  const list = h("div", { class: "turns" });
  const earlier = h("button", { type: "button", class: "action earlier", onclick: showEarlier });
  const label = { role: "region", "aria-label": t("log.label") };
  const scroller = h("div", { class: "scroller", ...label, tabindex: 0 }, earlier, list);
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
  const filling = createFilling();
  let empty = null;
  let conversation = "";
  /** How many turns come before those that are shown. */
  let hidden = 0;

  function draw(turns) {
    const last = turns.at(-1);
    const begun = last?.answer.value.phase === "waiting" && !shown.has(last.id);
    // Another version of a question is read from where it stands; everything else from its end.
    const moved = conversation !== page.store.conversation.value;
    const toEnd = moved || begun;
    conversation = page.store.conversation.value;
    const first = Math.max(0, turns.length - SHOWN);
    const stays = !moved && turns.slice(hidden, first).some(isEdited);
    hidden = toEnd && !stays ? first : Math.min(hidden, Math.max(0, turns.length - 1));
    place(turns, toEnd);
    if (toEnd) follow.resume();
    empty = switchEmpty(empty, turns.length === 0, page, list);
  }
  /** Whether something is being written in the article of a turn. */
  const isEdited = ({ id }) => Boolean(shown.get(id)?.element.querySelector("form"));
  /** `upwards`: from the last one on, with what is in view held still. */
  function place(all, upwards) {
    const turns = all.slice(hidden);
    const step = dropGone(shown, turns);
    const added = turns.filter((turn) => !shown.has(turn.id));
    const insert = (turn) => addArticle(turn, turns.slice(turns.indexOf(turn)).find(({ id }) => shown.has(id)));
    filling.begin(upwards ? added.reverse() : added, insert, upwards ? follow.holdStill : (work) => work());
    keepFocus(step, shown.get(added[0]?.id)?.element);
    earlier.hidden = hidden === 0;
    earlier.textContent = t("log.earlier", { n: Math.min(hidden, SHOWN) });
    page.conversation.putAwayAllBut(turns);
  }
  async function showEarlier() {
    const before = hidden;
    const home = conversation;
    const first = Math.max(0, before - SHOWN);
    await page.conversation.recall(page.store.turns.value.slice(first, before));
    // Something else was asked or opened meanwhile, or the page drawn anew.
    if (hidden !== before || conversation !== home || !scroller.isConnected) return;
    hidden = first;
    follow.holdStill(() => place(page.store.turns.value, true));
    if (earlier.hidden) scroller.focus({ preventScroll: true });
  }
  function addArticle(turn, next) {
    const article = createAnswer(page, turn);
    shown.set(turn.id, article);
    list.insertBefore(article.element, shown.get(next?.id)?.element ?? null);
  }

  const end = page.store.turns.subscribe(draw);
  return {
    element: h("div", { class: "log" }, scroller, toEnd),
    destroy() {
      end();
      filling.end();
      follow.destroy();
      empty?.destroy();
      for (const article of shown.values()) article.destroy();
    },
  };
}

/** Draws the first few of many at once and the others when the browser has time. */
function createFilling() {
  const later = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 0));
  let waiting = [];
  let placing = null;
  let scheduled = false;

  function goOn(idle) {
    scheduled = false;
    placing.around(() => {
      do placing.place(waiting.shift());
      while (waiting.length && idle?.timeRemaining() > SPARE_MS);
    });
    schedule();
  }
  function schedule() {
    if (scheduled || waiting.length === 0) return;
    scheduled = true;
    later((idle) => (waiting.length ? goOn(idle) : (scheduled = false)), { timeout: 200 });
  }
  return {
    /** Call `place` for each of `turns`, instead of what was still to be placed; the late ones inside `around`. */
    begin(turns, place, around) {
      turns.slice(0, AT_ONCE).forEach(place);
      waiting = turns.slice(AT_ONCE);
      placing = { place, around };
      schedule();
    },
    end() {
      waiting = [];
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
