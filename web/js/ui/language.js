/** The switch for the language of a page. */

import { LANGUAGES, currentLanguage, t } from "../i18n/index.js";
import { h } from "./dom.js";

/** @param {(tag: string) => void} change called with the language that was chosen */
export function createLanguageSwitch(change) {
  const options = Object.entries(LANGUAGES).map(([tag, name]) =>
    h("option", { value: tag, lang: tag, selected: tag === currentLanguage() }, name),
  );
  return h(
    "select",
    {
      class: "language",
      id: "language",
      "aria-label": t("nav.language"),
      onchange: (event) => change(event.target.value),
    },
    options,
  );
}
