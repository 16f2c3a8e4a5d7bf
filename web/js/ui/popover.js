/** Things that open beside a button and close with Esc or a press elsewhere, by the browser's own popovers. */

import { h } from "./dom.js";

const GAP_PX = { above: 14, below: 4 };
const MARGIN_PX = 8;

/**
 * Make `panel` open beside the buttons that are attached to it. The browser closes it and gives the focus back.
 * @param {"above" | "below"} side where it opens; the other one when there is no room
 */
export function createPopover(panel, side) {
  let opener = null;
  panel.popover = "auto";
  panel.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    place(opener, panel, side);
    panel.querySelector("a, button, input, select")?.focus();
  });
  // The page's own meaning of Esc does not apply while something is open.
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.stopPropagation();
  });
  return {
    /** Make `button` open and close the panel; `prepare` is called before that. */
    attach(button, prepare) {
      button.popoverTargetElement = panel;
      button.addEventListener("click", () => {
        opener = button;
        prepare?.();
      });
      return button;
    },
  };
}

/** A menu that several buttons share: `attach(button, () => [[label, run], …])` after `element` is in the page. */
export function createMenu() {
  const element = h("div", { class: "menu", role: "menu", onkeydown: moveFocus });
  const popover = createPopover(element, "below");
  const makeItem = ([label, run]) =>
    h("button", { type: "button", role: "menuitem", onclick: () => choose(run) }, label);
  function choose(run) {
    element.hidePopover();
    run();
  }
  return {
    element,
    attach(button, describe) {
      button.setAttribute("aria-haspopup", "menu");
      return popover.attach(button, () => element.replaceChildren(...describe().map(makeItem)));
    },
  };
}

function moveFocus(event) {
  const items = [...event.currentTarget.children];
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items[next % items.length].focus();
}

function place(button, panel, side) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const above = at.top - GAP_PX.above - height;
  const below = at.bottom + GAP_PX.below;
  const fits = side === "above" ? above >= MARGIN_PX : below + height <= innerHeight - MARGIN_PX;
  const top = (side === "above") === fits ? above : below;
  panel.style.top = `${Math.max(MARGIN_PX, top)}px`;
  panel.style.left = `${Math.max(MARGIN_PX, Math.min(at.left, innerWidth - width - MARGIN_PX))}px`;
}
