/**
 * Answers that are not looked at lie in the history alone, so that the page does not grow with its conversation.
 *
 * Only what the history surely has is put away, as it is there; a turn whose answer is `AWAY` is never written.
 */

import { AWAY, isOver, thawTurn } from "../store.js";

/** @param {ReturnType<import("./history.js").createHistory>} history */
export function createShelf(history) {
  /** Turn → {answer, feedback}, as the history has them. */
  const known = new WeakMap();
  const shelf = {
    /** The history has this of the turn. */
    note(turn, { answer, feedback }) {
      known.set(turn, { answer, feedback });
    },
    /** The history may have this no longer, or otherwise. */
    forget: (turn) => known.delete(turn),
    /** Rows of the history as turns. */
    thaw(rows) {
      return rows.map((row) => {
        const turn = thawTurn(row);
        shelf.note(turn, { answer: turn.answer.value, feedback: turn.feedback.value });
        return turn;
      });
    },
    /** Let go of the answer, if it is over and kept. */
    putAway(turn) {
      const { answer, feedback } = known.get(turn) ?? {};
      if (answer !== turn.answer.value || feedback !== turn.feedback.value || !isOver(answer)) return;
      known.delete(turn);
      turn.answer.value = AWAY;
    },
    /** Have the answers of these turns at hand again. Resolves to the key of what to say about it, or "". */
    async bringBack(conversation, turns) {
      const wanted = turns.filter((turn) => turn.answer.value === AWAY);
      const rows = await Promise.all(wanted.map(({ id }) => history.openTurn(conversation, id).catch(() => null)));
      if (rows.includes(null)) return "history.unread";
      rows.forEach((row, index) => {
        if (!row || wanted[index].answer.value !== AWAY) return;
        const { answer, feedback } = thawTurn(row);
        shelf.note(wanted[index], { answer: answer.value, feedback: feedback.value });
        wanted[index].feedback.value = feedback.value;
        wanted[index].answer.value = answer.value;
      });
      return rows.every(Boolean) ? "" : "history.missing";
    },
  };
  return shelf;
}
