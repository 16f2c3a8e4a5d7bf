/** The panel that shows the page a source stands on, its passage highlighted. */

import { fileAddress } from "../api/server.js";
import { t } from "../i18n/index.js";
import { createAnswerView } from "../render/markdown.js";
import { addsToName } from "../store.js";
import { createPageLink } from "./documents-address.js";
import { h, icon, iconButton } from "./dom.js";
import { createPanelEdge } from "./page-panel-edge.js";
import { createPageView } from "./page-panel-view.js";

/** @param {{store: object, libraries: object | null, showSource: Function, hideSource: () => void}} page */
export function createPagePanel(page) {
  const element = h("aside", { class: "panel", "aria-label": t("panel.label"), hidden: true, tabindex: -1, onkeydown });
  const edge = createPanelEdge();
  let onTurn = null;
  let view = null;

  function draw(shown) {
    element.hidden = !shown;
    const step = element.contains(document.activeElement) ? document.activeElement.dataset.step : undefined;
    const zoom = view?.zoom;
    view = shown && createView(page, shown, zoom);
    element.replaceChildren(...(shown ? [...describe(page, shown, view), edge] : []));
    if (!shown) return;
    element.scrollTop = 0;
    const again = step && element.querySelector(`[data-step="${step}"]:not(:disabled)`);
    // A new panel takes the focus; moving on inside it leaves the focus on the button that moved.
    if (again) again.focus();
    else if (onTurn !== shown.turn || !element.contains(document.activeElement)) element.focus();
    onTurn = shown.turn;
  }
  function onkeydown(event) {
    const { shown } = page.store;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const scrolls = event.target.closest("pre, .table");
    if (!step || scrolls || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.shiftKey) return view.turnPage(step);
    const next = findSteps(shown.value)[step];
    if (next) page.showSource(shown.value.turn, next.n);
  }

  const end = page.store.shown.subscribe(draw);
  return { element, destroy: end };
}

/** The source that is shown, and those around it. */
function findSteps({ turn, n }) {
  const { sources } = turn.answer.value;
  const index = sources.findIndex((source) => source.n === n);
  return { index, count: sources.length, source: sources[index], "-1": sources[index - 1], 1: sources[index + 1] };
}

function createView(page, shown, zoom) {
  const { source } = findSteps(shown);
  const document = page.store.documents.value.list.find(({ id }) => id === source.document);
  return createPageView(page.libraries, source, document?.pages, zoom);
}

function describe(page, shown, view) {
  const { index, count, source, "-1": before, 1: after } = findSteps(shown);
  const step = (drawing, label, name, other) =>
    iconButton(drawing, label, () => page.showSource(shown.turn, other.n), {
      "data-step": name,
      "aria-keyshortcuts": name === "next" ? "ArrowRight" : "ArrowLeft",
      "aria-describedby": "panel-title",
      disabled: !other,
    });
  return [
    h(
      "div",
      { class: "panel-bar" },
      step("left", t("panel.previous"), "previous", before),
      h("span", { class: "position" }, t("panel.position", { n: index + 1, count })),
      step("right", t("panel.next"), "next", after),
      h("span", { class: "panel-tools" }, view.zoomButtons, openLink(source, view)),
      iconButton("close", t("panel.close"), page.hideSource),
    ),
    h("h2", { id: "panel-title", class: "panel-title" }, h("span", { class: "number" }, String(source.n)), h("bdi", {}, source.name)),
    addsToName(source) ? h("p", { class: "panel-where" }, source.title) : "",
    createPageLink(source) ?? "",
    ...view.elements,
    h(
      "details",
      { class: "passage", open: true },
      h("summary", {}, t("panel.passage")),
      passage(page.libraries, source.text),
    ),
  ];
}

/** Opens the original itself, a PDF at the page that is shown when it is pressed. */
function openLink(source, view) {
  const link = h(
    "a",
    { class: "icon-button", target: "_blank", rel: "noopener", "aria-label": t("panel.open"), title: t("panel.open") },
    icon("open"),
  );
  view.onPage((number) => {
    link.href = fileAddress(source.document, number);
  });
  return link;
}

/** The passage's own text, read as the Markdown that it is. */
function passage(libraries, text) {
  const quote = h("blockquote", { class: "answer", dir: "auto" });
  createAnswerView(libraries, quote, { countSources: () => 0, decorate() {} }).finish(text);
  return quote;
}
