/** One turn: the question, the answer as it arrives, and what came of it. */

import { t } from "../i18n/index.js";
import { createAnswerView } from "../render/markdown.js";
import { isOver } from "../store.js";
import { labelChips, onChipClick } from "./citations.js";
import { copyText } from "./clipboard.js";
import { h, icon } from "./dom.js";
import { describeFoot } from "./foot.js";
import { createNotice } from "./notice.js";
import { createSources } from "./sources.js";

/** @param {{store: object, conversation: object, libraries: object | null, showSource: Function}} page */
export function createAnswer(page, turn) {
  const answer = () => turn.answer.value;
  const open = (n, opener) => page.showSource(turn, n, opener);
  const body = h("div", { class: "answer", onclick: (event) => onChipClick(event, open) });
  const waiting = h(
    "p",
    { class: "waiting" },
    h("span", { class: "pulse", "aria-hidden": "true" }),
    t("status.searching"),
  );
  const after = h("div", { class: "after" });
  const sources = createSources(open);
  const element = h(
    "article",
    { class: "turn" },
    h("h2", { class: "question" }, turn.question),
    waiting,
    body,
    after,
    sources.element,
  );
  let view = null;
  let drawn = null;

  function startView() {
    view?.destroy();
    body.replaceChildren();
    view = createAnswerView(page.libraries, body, {
      countSources: () => answer().sources.length,
      decorate: (nodes) => labelChips(nodes, answer().sources),
    });
  }

  function draw(now) {
    const begun = !drawn || (drawn.text && !now.text);
    if (begun) startView();
    element.dataset.phase = now.phase;
    waiting.hidden = now.text !== "" || isOver(now);
    if (isOver(now)) view.finish(now.text);
    else if (now.text !== drawn?.text) view.update(now.text);
    if (now.phase !== drawn?.phase || now.sources !== drawn?.sources) {
      sources.show(now);
      after.replaceChildren(...describeEnd(page, turn, now));
    }
    drawn = now;
  }

  const end = turn.answer.subscribe(draw);
  return {
    element,
    destroy() {
      end();
      view.destroy();
    },
  };
}

/** The notice, the actions and the small print under an answer that is over. */
function describeEnd(page, turn, answer) {
  if (!isOver(answer)) return [];
  const retry = () => page.conversation.retry(turn);
  const actions = h(
    "div",
    { class: "actions" },
    answer.text !== "" && copyButton(answer.text),
    answer.phase !== "failed" && actionButton("retry", t("answer.again"), retry),
    describeFoot(answer, turn.question),
  );
  return [createNotice(answer, retry), actions].filter(Boolean);
}

function copyButton(text) {
  const button = actionButton("copy", t("answer.copy"), async () => {
    if (await copyText(text)) button.lastChild.textContent = t("answer.copied");
  });
  return button;
}

function actionButton(drawing, label, onclick) {
  return h("button", { type: "button", class: "action", onclick }, icon(drawing), h("span", {}, label));
}
