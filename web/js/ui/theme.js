/** Light or dark: the system's choice until the person makes another. `js/first.js` applies it early. */

import { remember } from "../memory.js";

const REMEMBERED = "acervo.theme";

/** Switch to the other theme and remember it. */
export function switchTheme() {
  const next = isDark() ? "light" : "dark";
  remember(REMEMBERED, next);
  document.documentElement.dataset.theme = next;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
