/** What can be done with an answer that is over: copy, ask again, hear, rate. */

import { t } from "../i18n/index.js";
import { copyText } from "./clipboard.js";
import { h, icon } from "./dom.js";
import { createRating } from "./rating.js";
import { createSpeaker } from "./speech.js";

/** The row of buttons, and below it the form for a note. `rest` ends the row. */
export function createActions(page, turn, rest) {
  const { text, phase } = turn.answer.value;
  const rating = text ? createRating(page, turn) : null;
  const row = h(
    "div",
    { class: "actions" },
    text && actionButton("copy", t("answer.copy"), copy),
    phase !== "failed" && actionButton("retry", t("answer.again"), () => page.conversation.retry(turn)),
    text && createSpeaker(turn),
    rating?.buttons ?? [],
    rest,
  );
  async function copy({ currentTarget: button }) {
    if (!(await copyText(text))) return;
    button.replaceChildren(icon("check"), h("span", {}, t("answer.copied")));
  }
  return [row, rating?.note].filter(Boolean);
}

function actionButton(drawing, label, onclick) {
  return h("button", { type: "button", class: "action", onclick }, icon(drawing), h("span", {}, label));
}
