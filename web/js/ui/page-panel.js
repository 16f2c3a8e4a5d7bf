/** The panel that shows the page a source stands on, its passage highlighted. */

import { IMAGE_ZOOM, fileAddress, pageImageAddress } from "../api/server.js";
import { t } from "../i18n/index.js";
import { createAnswerView } from "../render/markdown.js";
import { addsToName } from "../store.js";
import { h, icon, iconButton } from "./dom.js";

/** How much of the page stays in sight above the passage. */
const LEAD_PX = 48;

/** @param {{store: object, libraries: object | null, showSource: Function, hideSource: () => void}} page */
export function createPagePanel(page) {
  const element = h("aside", { class: "panel", "aria-label": t("panel.label"), hidden: true, tabindex: -1 });
  let onTurn = null;

  function draw(shown) {
    element.hidden = !shown;
    const step = element.contains(document.activeElement) ? document.activeElement.dataset.step : undefined;
    element.replaceChildren(...(shown ? describe(page, shown) : []));
    if (!shown) return;
    const again = step && element.querySelector(`[data-step="${step}"]:not(:disabled)`);
    // A new panel takes the focus; moving on inside it leaves the focus on the button that moved.
    if (again) again.focus();
    else if (onTurn !== shown.turn || !element.contains(document.activeElement)) element.focus();
    onTurn = shown.turn;
  }

  const end = page.store.shown.subscribe(draw);
  return { element, destroy: end };
}

function describe(page, { turn, n }) {
  const { sources } = turn.answer.value;
  const index = sources.findIndex((source) => source.n === n);
  const source = sources[index];
  const step = (drawing, label, name, other) =>
    iconButton(drawing, label, () => page.showSource(turn, other.n), { "data-step": name, disabled: !other });
  return [
    h(
      "div",
      { class: "panel-bar" },
      step("left", t("panel.previous"), "previous", sources[index - 1]),
      h("span", { class: "position" }, t("panel.position", { n: index + 1, count: sources.length })),
      step("right", t("panel.next"), "next", sources[index + 1]),
      h(
        "a",
        {
          class: "icon-button",
          href: fileAddress(source.document, source.page),
          target: "_blank",
          rel: "noopener",
          "aria-label": t("panel.open"),
          title: t("panel.open"),
        },
        icon("open"),
      ),
      iconButton("close", t("panel.close"), page.hideSource),
    ),
    h("h2", { class: "panel-title" }, h("span", { class: "number" }, String(source.n)), source.name),
    h(
      "p",
      { class: "panel-where" },
      [addsToName(source) && source.title, t("sources.page", { page: source.page })]
        .filter(Boolean)
        .join(" · "),
    ),
    pageImage(source),
    h(
      "details",
      { class: "passage", open: true },
      h("summary", {}, t("panel.passage")),
      passage(page.libraries, source.text),
    ),
  ];
}

/** The passage's own text, read as the Markdown that it is. */
function passage(libraries, text) {
  const quote = h("blockquote", { class: "answer" });
  createAnswerView(libraries, quote, { countSources: () => 0, decorate() {} }).finish(text);
  return quote;
}

function pageImage(source) {
  const state = h("p", { class: "panel-state" }, t("panel.loading"));
  const frame = h("div", { class: "page-frame", "data-state": "loading" }, state);
  const image = h("img", {
    alt: t("panel.image", { page: source.page, name: source.name }),
    src: pageImageAddress(source),
    onload: () => {
      frame.dataset.state = "shown";
      state.remove();
      revealPassage(image, source.boxes ?? []);
    },
    onerror: () => {
      frame.dataset.state = "failed";
      state.textContent = t("panel.failed");
    },
  });
  frame.append(zoomButton(image));
  return frame;
}

/** Shows the page twice as wide, and back. */
function zoomButton(image) {
  const button = h(
    "button",
    {
      type: "button",
      class: "page-image",
      "aria-label": t("panel.zoom"),
      "aria-pressed": "false",
      onclick: () => button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")),
    },
    image,
    icon("zoom"),
  );
  return button;
}

/** Scroll the panel so far that the passage is in sight. `boxes` are in points of the page. */
function revealPassage(image, boxes) {
  const panel = image.closest(".panel");
  if (!panel || boxes.length === 0) return;
  const scale = (IMAGE_ZOOM * image.clientHeight) / image.naturalHeight;
  const top = image.getBoundingClientRect().top - panel.getBoundingClientRect().top + panel.scrollTop;
  const first = Math.min(...boxes.map((box) => box[1])) * scale + top;
  const last = Math.max(...boxes.map((box) => box[3])) * scale + top;
  if (last > panel.clientHeight) panel.scrollTop = Math.min(first - LEAD_PX, last - panel.clientHeight / 2);
}
