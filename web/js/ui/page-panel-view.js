/** The picture of a page: the passage highlighted and in sight; the pages around it; larger and smaller. */

import { IMAGE_ZOOM, pageImageAddress } from "../api/server.js";
import { formatNumber, t } from "../i18n/index.js";
import { placeOf } from "../place.js";
import { h, icon, iconButton } from "./dom.js";
import { drawText } from "./page-panel-text.js";

/** How much of the page stays in sight above the passage, below the panel's bar. */
const LEAD_PX = 96;
const ZOOMS = [1, 1.5, 2, 3];
const CLICK_ZOOM = 2;

/**
 * @param {object | null} libraries
 * @param {object} source
 * @param {number | undefined} count how many pages its document has, where that is known
 * @param {number} zoom how much larger than the panel the page is at first
 */
export function createPageView(libraries, source, count, zoom = 1) {
  const drawn = source.unit === "page";
  const frame = h("div", { class: "page-frame" });
  const where = h("span", { class: "page" });
  const turn = (drawing, label, step, key) =>
    iconButton(drawing, label, () => turnPage(step), { "aria-keyshortcuts": `Shift+${key}` });
  const before = turn("left", t("panel.pageBefore"), -1, "ArrowLeft");
  const after = turn("right", t("panel.pageAfter"), 1, "ArrowRight");
  const back = h("button", { type: "button", class: "action", onclick: () => showPage(source.page) }, t("panel.back"));
  const smaller = iconButton("minus", t("panel.smaller"), () => stepZoom(-1));
  const larger = iconButton("plus", t("panel.larger"), () => stepZoom(1));
  const listeners = [];
  let number = 0;
  let image = null;

  function turnPage(step) {
    const next = number + step;
    if (next >= 1 && !(next > count)) showPage(next);
  }
  function showPage(next) {
    const focused = document.activeElement;
    number = next;
    const retry = () => showPage(number);
    image = drawn
      ? drawPage(frame, source, number, { reveal, toggle: () => setZoom(zoom === 1 ? CLICK_ZOOM : 1), retry })
      : drawText(libraries, frame, source, number, retry);
    const place = placeOf({ page: number, unit: source.unit });
    where.textContent = !count ? place : drawn ? t("panel.pageOf", { page: number, count }) : `${place} / ${count}`;
    before.disabled = number <= 1;
    after.disabled = number >= count;
    back.hidden = number === source.page;
    for (const tell of listeners) tell(number);
    if (focused?.disabled || focused?.hidden) before.closest(".panel").focus();
    setZoom(zoom);
  }
  function setZoom(next) {
    zoom = next;
    frame.style.setProperty("--zoom", zoom);
    frame.querySelector(".page-image")?.setAttribute("aria-pressed", String(zoom > 1));
    smaller.disabled = zoom <= ZOOMS[0];
    larger.disabled = zoom >= ZOOMS.at(-1);
    smaller.title = `${t("panel.smaller")} (${formatNumber(zoom, { style: "percent" })})`;
    if (image.complete) reveal();
  }
  function stepZoom(step) {
    setZoom(ZOOMS[ZOOMS.indexOf(zoom) + step] ?? zoom);
  }
  function reveal() {
    revealPassage(image, number === source.page ? (source.boxes ?? []) : []);
  }

  showPage(source.page);
  return {
    elements: [h("div", { class: "pager" }, before, where, after, back), frame],
    zoomButtons: [smaller, larger],
    turnPage,
    get zoom() {
      return zoom;
    },
    /** Call `tell(number)` now and with each page that is shown. */
    onPage(tell) {
      listeners.push(tell);
      tell(number);
    },
  };
}

/** Put the picture of a page into the frame; says so while it is on its way and when it does not come. */
function drawPage(frame, source, number, { reveal, toggle, retry }) {
  const isOwn = number === source.page;
  const state = h("div", { class: "panel-state", role: "status" }, t("panel.loading"));
  const image = h("img", {
    alt: t(isOwn ? "panel.image" : "panel.imageOther", { page: number, name: source.name }),
    src: pageImageAddress(isOwn ? source : { document: source.document, page: number }),
    onload: () => {
      frame.dataset.state = "shown";
      state.remove();
      reveal();
    },
    onerror: () => {
      frame.dataset.state = "failed";
      const again = h("button", { type: "button", class: "action", onclick: retry }, t("error.retry"));
      state.replaceChildren(h("p", {}, t(isOwn ? "panel.failed" : "panel.failedOther")), again);
    },
  });
  const named = { "aria-label": t("panel.zoom"), "aria-pressed": "false" };
  frame.dataset.state = "loading";
  const button = h("button", { type: "button", class: "page-image", ...named, onclick: toggle }, image, icon("zoom"));
  frame.replaceChildren(state, button);
  return image;
}

/** Scroll the panel and the frame so far that the passage is in sight. `boxes` are in points of the page. */
function revealPassage(image, boxes) {
  const panel = image.closest(".panel");
  if (!panel || boxes.length === 0) return;
  const scale = (IMAGE_ZOOM * image.clientHeight) / image.naturalHeight;
  const top = image.getBoundingClientRect().top - panel.getBoundingClientRect().top + panel.scrollTop;
  const [left, first, right, last] = [Math.min, Math.min, Math.max, Math.max].map((pick, side) =>
    pick(...boxes.map((box) => box[side])),
  );
  const fits = last * scale + top <= panel.clientHeight;
  panel.scrollTop = fits ? 0 : Math.max(0, first * scale + top - LEAD_PX);
  const frame = image.closest(".page-frame");
  frame.scrollLeft = ((left + right) / 2) * scale - frame.clientWidth / 2;
}
