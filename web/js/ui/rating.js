/** Thumbs for an answer, with a note that may follow. The server keeps them; a second press takes one back. */

import { sendFeedback } from "../api/feedback.js";
import { t } from "../i18n/index.js";
import { h, iconButton } from "./dom.js";
import { fitHeight, onEnter } from "./field.js";

/** @param {{conversation: object}} page */
export function createRating(page, turn) {
  const up = iconButton("up", t("rating.up"), () => press("up"));
  const down = iconButton("thumbDown", t("rating.down"), () => press("down"));
  const note = h("div", { class: "note", "aria-live": "polite" });

  async function send(rating, words) {
    try {
      const id = await sendFeedback(turn, rating, words);
      turn.feedback.value = { id, rating, note: words };
      page.conversation.save(turn);
      return true;
    } catch {
      note.replaceChildren(h("p", { class: "notice error", role: "alert" }, t("rating.failed")));
      return false;
    } finally {
      draw();
    }
  }
  async function press(rating) {
    const back = turn.feedback.value?.rating === rating;
    note.replaceChildren();
    if ((await send(back ? "" : rating, "")) && !back) note.replaceChildren(createForm(sendNote));
  }
  async function sendNote(words) {
    if (!words || (await send(turn.feedback.value.rating, words))) {
      note.replaceChildren(h("p", { class: "thanks" }, t("rating.thanks")));
    }
    (turn.feedback.value.rating === "up" ? up : down).focus();
  }
  function draw() {
    up.setAttribute("aria-pressed", String(turn.feedback.value?.rating === "up"));
    down.setAttribute("aria-pressed", String(turn.feedback.value?.rating === "down"));
  }

  draw();
  return { buttons: [h("span", { class: "thumbs" }, up, down)], note };
}

function createForm(send) {
  const submit = (event) => {
    event.preventDefault();
    send(input.value.trim());
  };
  const input = h("textarea", {
    rows: 1,
    maxlength: 2000,
    "aria-label": t("rating.note"),
    placeholder: t("rating.note"),
    oninput: () => fitHeight(input),
    onkeydown: (event) => onEnter(event, submit),
  });
  return h(
    "form",
    { class: "edit", onsubmit: submit },
    input,
    h("div", { class: "edit-buttons" }, h("button", { type: "submit", class: "action" }, t("rating.send"))),
  );
}
