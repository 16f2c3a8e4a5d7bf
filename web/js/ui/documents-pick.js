/** The large button that lets a person choose files; it also says that files can be dropped. */

import { t } from "../i18n/index.js";
import { h, icon } from "./dom.js";
import { ENDINGS, chooseFile } from "./files.js";

/** Null for whom may not add any. @param {{adding: {add: (files: File[]) => void}, may: (scope: string) => boolean}} page */
export function createPick(page) {
  if (!page.may("write")) return null;
  const pick = () => chooseFile(ENDINGS.join(), (...files) => page.adding.add(files), true);
  return h(
    "button",
    { type: "button", class: "add-files", onclick: pick },
    icon("upload"),
    h("span", {}, h("strong", {}, t("documents.add")), h("small", {}, t("documents.addHelp"))),
  );
}
