/** Files that leave and enter the page. */

import { h } from "./dom.js";

/** Of the files that can be loaded, as in `database/formats.py`. */
export const ENDINGS =
  ".pdf .html .htm .xhtml .md .markdown .txt .text .docx .docm .pptx .pptm .xlsx .xlsm .csv .tsv .png .jpg .jpeg .tif .tiff .webp .gif .bmp".split(
    " ",
  );

/** Let the browser save `text` under `name`. */
export function saveFile(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h("a", { href: address, download: name });
  link.click();
  // The browser may read it some time after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Let the person choose a file, or several of them; `take(file, …)` is called when they did. */
export function chooseFile(accept, take, multiple = false) {
  const input = h("input", { type: "file", accept, multiple, onchange: () => input.files[0] && take(...input.files) });
  input.click();
}

/** Words as the name of a file, on every system. */
export function toFileName(words, ending) {
  const name = words
    .normalize()
    .replace(/[^\p{L}\p{N}\p{M} _-]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 60)
    .trim();
  return `${name || "acervo"}.${ending}`;
}
