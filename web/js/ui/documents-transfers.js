/** What is on its way: a row for each file, with how far it is, what went wrong, and what can be done. */

import { t } from "../i18n/index.js";
import { canRetry, describe, isActive, measure } from "../transfers.js";
import { createRows } from "./documents-rows.js";
import { h, iconButton } from "./dom.js";

/** @param {{store: object, adding: object}} page */
export function createTransferList(page, live) {
  const { store } = page;
  const list = h("ul", { class: "transfers" });
  const clear = h("button", { type: "button", class: "text-button", onclick: clearOver }, t("transfer.clear"));
  const head = h("div", { class: "list-head" }, h("h3", {}, t("transfer.title")), clear);
  const leftOut = h("p", { class: "facts" });
  const element = h("section", { class: "adding", "aria-label": t("transfer.title") }, head, list, leftOut);
  const show = createRows(
    list,
    ({ key }) => key,
    (key) => createRow(page, key),
  );
  const tell = createTeller(live);

  async function clearOver() {
    (await page.adding.load()).dismiss();
    document.getElementById("close-documents").focus();
  }
  function draw() {
    const transfers = store.transfers.value;
    const n = store.leftOut.value;
    show(transfers);
    tell(transfers);
    clear.hidden = transfers.every((one) => isActive(one) || one.phase === "failed");
    head.hidden = list.hidden = transfers.length === 0;
    leftOut.textContent = n > 0 ? t("transfer.leftOut", { n }) : "";
    element.hidden = head.hidden && n === 0;
  }
  const ends = [store.transfers.subscribe(draw), store.leftOut.subscribe(draw)];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

function createRow({ adding, store }, key) {
  const name = h("p", { class: "name" });
  const state = h("p", { class: "facts" });
  const detail = h("p", { class: "facts", hidden: true });
  const bar = h("progress", { max: 1 });
  const button = (drawing, run) => iconButton(drawing, "", async () => run(await adding.load()));
  const retry = button("retry", (transfers) => transfers.retry(key));
  const end = button("close", (transfers) => {
    const transfer = store.transfers.value.find((one) => one.key === key);
    if (isActive(transfer)) return transfers.cancel(key);
    transfers.dismiss(key);
    document.getElementById("close-documents").focus();
  });
  const element = h("li", {}, h("div", { class: "what" }, name, bar, state, detail), retry, end);
  function update(transfer) {
    const active = isActive(transfer);
    element.dataset.phase = transfer.phase;
    name.textContent = transfer.name;
    bar.hidden = !active;
    bar.value = measure(transfer);
    bar.ariaLabel = transfer.name;
    setText(state, say(transfer).join(" · "));
    setText(detail, describeDetail(transfer, store));
    retry.hidden = !canRetry(transfer);
    label(retry, t("transfer.retry", { name: transfer.name }));
    label(end, t(active ? "transfer.cancel" : "transfer.dismiss", { name: transfer.name }));
  }
  return { element, update };
}

function say(transfer) {
  return describe(transfer).map(([key, values]) => t(key, values));
}

/** The server's own words, where they say more, and what a document lacks although it was loaded. */
function describeDetail({ phase, job, detail, kind }, { documents }) {
  if (phase === "failed") return ["too_large", "wrong_format", "empty", "gone"].includes(kind) ? "" : detail;
  if (phase !== "done") return "";
  const found = documents.value.list.find(({ id }) => id === job.document);
  return found?.state === "ready" && found.chunks === 0 ? t("refusal.noText") : "";
}

/** Tells a screen reader what a person who looks would notice: not each page, but what changes what can be done. */
function createTeller(live) {
  const said = new Map();
  return (transfers) => {
    for (const transfer of transfers) {
      const { key, name, phase, job } = transfer;
      const step = `${phase} ${job?.searchable}`;
      if (said.get(key) === step) continue;
      const worth = said.has(key) && (job?.searchable || !isActive(transfer));
      said.set(key, step);
      if (worth) live.textContent = `${name}: ${say(transfer)[0]}`;
    }
  };
}

function setText(element, words) {
  if (element.textContent !== words) element.textContent = words;
  element.hidden = words === "";
}

function label(button, words) {
  button.ariaLabel = words;
  button.title = words;
}
