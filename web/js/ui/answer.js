/** One turn: the question, the answer as it arrives, and what came of it. */

import { t } from "../i18n/index.js";
import { createAnswerView } from "../render/markdown.js";
import { AWAY, isOver } from "../store.js";
import { createActions } from "./actions.js";
import { createDoubtMark, explainMarks, labelChips, onChipClick } from "./citations.js";
import { h } from "./dom.js";
import { describeFoot } from "./foot.js";
import { createInsight } from "./insight.js";
import { createNotice } from "./notice.js";
import { createQuestion } from "./question.js";
import { createSources } from "./sources.js";

/** @param {{store: object, conversation: object, libraries: object | null, showSource: Function}} page */
export function createAnswer(page, turn) {
  const open = (n, opener) => page.showSource(turn, n, opener);
  const waiting = h(
    "p",
    { class: "waiting" },
    h("span", { class: "pulse", "aria-hidden": "true" }),
    t("status.searching"),
  );
  const body = createBody(page, turn, open);
  const after = h("div", { class: "after" });
  const sources = createSources(open);
  const question = createQuestion(page, turn);
  const insight = createInsight(page, turn);
  const parts = [question.element, waiting, body.element, after, sources.element, insight.element];
  const element = h("article", { class: "turn" }, ...parts);
  let drawn = null;
  explainMarks(element, () => turn.answer.value.sources);

  function draw(now) {
    element.dataset.phase = now.phase;
    waiting.hidden = now.text !== "" || isOver(now);
    if (now === AWAY) return void page.conversation.recall([turn]);
    body.draw(now);
    if (now.phase !== drawn?.phase || now.sources !== drawn?.sources) {
      sources.show(now);
      insight.show(now);
      after.replaceChildren(...describeEnd(page, turn, now));
    }
    drawn = now;
  }

  const end = turn.answer.subscribe(draw);
  return {
    element,
    destroy() {
      end();
      question.destroy();
      body.destroy();
    },
  };
}

/** The text itself. An answer that is asked for again begins with an empty one. */
function createBody(page, turn, open) {
  const element = h("div", { class: "answer", dir: "auto", onclick: (event) => onChipClick(event, open) });
  const hooks = {
    countSources: () => turn.answer.value.sources.length,
    decorate: (nodes) => labelChips(nodes, turn.answer.value.sources),
    makeMark: createDoubtMark,
  };
  let view = null;
  let text = null;
  let checks = null;

  function begin() {
    view?.destroy();
    element.replaceChildren();
    view = createAnswerView(page.libraries, element, hooks);
  }
  return {
    element,
    draw(now) {
      if (text === null || now.text.length < text.length) begin();
      const doubts = (now.checks ?? []).filter(({ supported }) => !supported);
      if (isOver(now)) view.finish(now.text, doubts);
      else if (now.text !== text || now.checks !== checks) view.update(now.text, doubts);
      ({ text, checks } = now);
    },
    destroy: () => view?.destroy(),
  };
}

/** The notice, the actions and the small print under an answer that is over. */
function describeEnd(page, turn, answer) {
  if (!isOver(answer)) return [];
  const actions = createActions(page, turn, describeFoot(answer, turn.question));
  return [...createNotice(page, turn), ...actions];
}
