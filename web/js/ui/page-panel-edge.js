/** The edge of the panel: drag it, or move it with the arrow keys. The width outlasts the visit. */

import { t } from "../i18n/index.js";
import { recall, remember } from "../memory.js";
import { h } from "./dom.js";

const REMEMBERED = "acervo.panel";
/** Percent of the window. */
const [MIN, USUAL, MAX, STEP] = [28, 44, 68, 4];

/** A separator to stand in the panel. */
export function createPanelEdge() {
  const edge = h("div", {
    class: "panel-edge",
    role: "separator",
    tabindex: 0,
    "aria-orientation": "vertical",
    "aria-label": t("panel.width"),
    "aria-valuemin": MIN,
    "aria-valuemax": MAX,
    "aria-valuenow": USUAL,
    onpointerdown: (event) => edge.setPointerCapture(event.pointerId),
    onpointermove: (event) => edge.hasPointerCapture(event.pointerId) && setWidth(share(innerWidth - event.clientX)),
    onlostpointercapture: keep,
    onkeydown,
  });
  function setWidth(percent) {
    const width = Math.max(MIN, Math.min(MAX, Math.round(percent)));
    document.documentElement.style.setProperty("--panel", `${width}vw`);
    edge.setAttribute("aria-valuenow", String(width));
  }
  function onkeydown(event) {
    const step = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    setWidth(share(edge.parentElement.offsetWidth) + step);
    keep();
  }
  function share(pixels) {
    return (100 * pixels) / innerWidth;
  }
  function keep() {
    remember(REMEMBERED, edge.getAttribute("aria-valuenow"));
  }

  const known = Number(recall(REMEMBERED));
  if (known) setWidth(known);
  return edge;
}
