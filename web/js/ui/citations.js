/** The numbered chips in an answer: their names, and what a press of one does. */

import { t } from "../i18n/index.js";

/** Give the chips below `nodes` the name of the source that they stand for. */
export function labelChips(nodes, sources) {
  for (const chip of nodes.flatMap(findChips)) {
    const source = sources.find(({ n }) => n === Number(chip.dataset.cite));
    if (!source) continue;
    const label = t("sources.cite", { n: source.n, name: source.name, page: source.page });
    chip.setAttribute("aria-label", label);
    chip.title = label;
  }
}

/** Call `open(n, chip)` when a click was on a chip. */
export function onChipClick(event, open) {
  const chip = event.target.closest?.("button[data-cite]");
  if (chip) open(Number(chip.dataset.cite), chip);
}

function findChips(node) {
  return node.querySelectorAll ? [...node.querySelectorAll("button[data-cite]")] : [];
}
