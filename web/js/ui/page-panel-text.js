/** The text of what has no pages to draw: a section, a slide, a part of a sheet; the passage marked. */

import { readPageText } from "../api/server.js";
import { t } from "../i18n/index.js";
import { createAnswerView } from "../render/markdown.js";
import { h } from "./dom.js";

/** Put text `number` of the source's document into the frame. What it gives is never `complete`, as a picture is. */
export function drawText(libraries, frame, source, number, retry) {
  const state = h("div", { class: "panel-state", role: "status" }, t("panel.loading"));
  const text = h("div", { class: "answer page-text", dir: "auto" });
  frame.dataset.state = "loading";
  frame.replaceChildren(state, text);
  const asked = number === source.page ? source : { document: source.document, page: number };
  const view = createAnswerView(libraries, text, { countSources: () => 0, decorate() {}, makeMark: () => "" });
  readPageText(asked).then(
    (page) => {
      view.finish(
        page.text,
        page.marks.map(([start, end]) => ({ start, end })),
      );
      for (const part of text.querySelectorAll(".doubted")) part.replaceWith(h("mark", {}, ...part.childNodes));
      frame.dataset.state = "shown";
      state.remove();
      text.querySelector("mark")?.scrollIntoView({ block: "center" });
    },
    () => {
      frame.dataset.state = "failed";
      const again = h("button", { type: "button", class: "action", onclick: retry }, t("error.retry"));
      state.replaceChildren(h("p", {}, t("panel.failed")), again);
    },
  );
  return {};
}
