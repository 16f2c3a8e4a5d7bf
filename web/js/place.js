/** What people call the place of a source. */

import { t } from "./i18n/index.js";

const PLACES = { section: "sources.section", slide: "sources.slide", sheet: "sources.sheet" };

/** "page 3", "slide 3". `say` is `t` where it is not this one. */
export function placeOf({ page, unit }, say = t) {
  return say(PLACES[unit] ?? "sources.page", { page });
}
