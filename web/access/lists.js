/** Lists of what the server keeps: read, shown, read again after a change. */

import { t } from "../js/i18n/index.js";
import { h } from "../js/ui/dom.js";
import { createNews } from "./forms.js";

/**
 * @param {() => Promise<object[]>} read
 * @param {(item: object, act: (run: () => Promise<string>) => Promise<void>) => HTMLElement} drawRow
 *   `act` runs a change, says how it went and shows the list anew
 * @param {string} none what is said where there is nothing
 */
export function createList(read, drawRow, none) {
  const list = h("ul", { class: "rows", tabindex: -1 });
  const news = createNews();
  const draw = async () => {
    const items = await read();
    list.replaceChildren(...(items.length ? items.map((item) => drawRow(item, act)) : [h("li", {}, none)]));
  };
  async function act(run) {
    await news.tell(async () => {
      const words = await run();
      await draw();
      // The button that was pressed may have gone.
      if (document.activeElement === document.body) list.focus();
      return words;
    });
  }
  list.append(h("li", {}, t("loading")));
  void news.tell(draw);
  return { element: h("div", {}, list, news.element), refresh: () => news.tell(draw), act };
}

/** A row: its name, facts below it, buttons beside it. */
export function createRow(name, facts, ...buttons) {
  const what = h("div", { class: "what" }, h("strong", {}, name), h("small", {}, facts.filter(Boolean).join(" · ")));
  return h("li", {}, what, ...buttons);
}
