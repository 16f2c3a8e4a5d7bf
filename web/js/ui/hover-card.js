/**
 * One card for all that explains itself when it is hovered or focused. The card can be hovered, too; Esc puts it
 * away; it never lies over what it explains. A finger's first tap opens it, the second one is a press.
 */

import { h } from "./dom.js";

const SHOW_MS = 120;
const HIDE_MS = 250;
const GAP_PX = 7;
const MARGIN_PX = 8;
const ID = "hover-card";

let card = null;
let anchor = null;
let timer = 0;

/**
 * Explain what matches `selector` below `root`.
 * @param {(anchor: HTMLElement, byTouch: boolean) => Node[]} describe what the card shows
 * @param {(anchor: HTMLElement) => boolean} isPressed whether a press of it does something else
 */
export function attachCard(root, selector, describe, isPressed) {
  const find = (event) => event.target.closest?.(selector);
  let touching = false;
  const open = (found) => show(found, describe(found, touching));

  root.addEventListener("pointerover", (event) => {
    const found = event.pointerType !== "touch" && find(event);
    if (found) later(SHOW_MS, () => open(found));
  });
  root.addEventListener("pointerout", (event) => event.pointerType !== "touch" && find(event) && later(HIDE_MS, hide));
  root.addEventListener("focusin", (event) => {
    const found = find(event);
    if (found?.matches(":focus-visible")) open(found);
  });
  root.addEventListener("focusout", (event) => find(event) && later(HIDE_MS, hide));
  root.addEventListener("pointerdown", (event) => {
    touching = event.pointerType === "touch";
  });
  const onClick = (event) => {
    const found = find(event);
    if (!found) return;
    const first = touching && anchor !== found;
    if (!first && isPressed(found)) return hide();
    event.stopPropagation();
    open(found);
  };
  root.addEventListener("click", onClick, { capture: true });
}

function show(found, nodes) {
  clearTimeout(timer);
  if (!found.isConnected) return;
  card ??= createCard();
  anchor?.removeAttribute("aria-describedby");
  anchor = found;
  card.replaceChildren(...nodes);
  if (!card.isConnected) document.body.append(card);
  card.showPopover();
  card.scrollTop = 0;
  anchor.setAttribute("aria-describedby", ID);
  place();
}

function hide() {
  clearTimeout(timer);
  if (!anchor) return;
  anchor.removeAttribute("aria-describedby");
  anchor = null;
  card.hidePopover();
}

function later(delay, run) {
  clearTimeout(timer);
  timer = setTimeout(run, delay);
}

function createCard() {
  const element = h("div", { id: ID, class: "hover-card", role: "tooltip", popover: "manual" });
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", () => later(HIDE_MS, hide));
  document.addEventListener("keydown", onKey, { capture: true });
  document.addEventListener("pointerdown", onPressElsewhere);
  addEventListener("scroll", (event) => event.target !== element && place(), { capture: true });
  addEventListener("resize", place);
  return element;
}

function onKey(event) {
  if (event.key !== "Escape" || !anchor) return;
  event.preventDefault();
  event.stopPropagation();
  hide();
}

function onPressElsewhere({ target }) {
  if (anchor && !anchor.contains(target) && !card.contains(target)) hide();
}

/** Above what it explains or below it, wherever there is more room; it goes away with it. */
function place() {
  if (!anchor) return;
  const at = anchor.getBoundingClientRect();
  if (!anchor.isConnected || at.bottom < 0 || at.top > innerHeight) return hide();
  card.style.maxHeight = "";
  const above = at.top - GAP_PX - MARGIN_PX;
  const below = innerHeight - at.bottom - GAP_PX - MARGIN_PX;
  const isAbove = above >= card.offsetHeight || above > below;
  card.style.maxHeight = `${Math.min(card.offsetHeight, isAbove ? above : below)}px`;
  card.style.top = `${isAbove ? at.top - GAP_PX - card.offsetHeight : at.bottom + GAP_PX}px`;
  const right = innerWidth - card.offsetWidth - MARGIN_PX;
  card.style.left = `${Math.max(MARGIN_PX, Math.min(at.left - MARGIN_PX, right))}px`;
}
