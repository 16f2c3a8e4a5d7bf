/** The question of a turn: its words, its versions, and the form in which it is asked differently. */

import { t } from "../i18n/index.js";
import { h, iconButton } from "./dom.js";
import { fitHeight, onEnter } from "./field.js";

/** @param {{conversation: object, store: object}} page */
export function createQuestion(page, turn) {
  const words = h("h2", { class: "question" }, turn.question);
  const edit = iconButton("pencil", t("turn.edit"), openForm, { "data-step": "edit" });
  const versions = h("span", { class: "versions" });
  const tools = h("div", { class: "asked-tools" }, edit, versions);
  const element = h("div", { class: "asked" }, words, tools);

  function openForm() {
    const form = createForm(turn.question, closeForm, (question) => page.conversation.edit(turn, question));
    element.replaceChildren(form);
    form.querySelector("textarea").focus();
    fitHeight(form.querySelector("textarea"));
  }
  function closeForm() {
    element.replaceChildren(words, tools);
    edit.focus();
  }

  const ends = [
    page.store.turns.subscribe(() => {
      versions.replaceChildren(...describeVersions(page.conversation, turn));
    }),
    page.store.answering.subscribe((answering) => {
      edit.disabled = Boolean(answering);
    }),
  ];
  return { element, destroy: () => ends.forEach((end) => end()) };
}

/** `‹ 2/3 ›`, or nothing where there is one version only. */
function describeVersions(conversation, turn) {
  const all = conversation.versions(turn);
  if (all.length < 2) return [];
  const index = all.indexOf(turn);
  const step = (drawing, label, name, other) =>
    iconButton(drawing, label, () => conversation.choose(other), { "data-step": name, disabled: !other });
  return [
    step("left", t("turn.previous"), "previous", all[index - 1]),
    h("span", { class: "version" }, t("turn.version", { n: index + 1, count: all.length })),
    step("right", t("turn.next"), "next", all[index + 1]),
  ];
}

function createForm(question, cancel, submit) {
  const input = h("textarea", {
    rows: 1,
    "aria-label": t("turn.edit"),
    oninput: () => fitHeight(input),
    onkeydown: (event) => {
      if (onEnter(event, send) || event.key !== "Escape") return;
      event.preventDefault();
      cancel();
    },
  });
  input.value = question;
  function send(event) {
    event.preventDefault();
    if (!input.value.trim() || input.value.trim() === question) cancel();
    else submit(input.value);
  }
  return h(
    "form",
    { class: "edit", onsubmit: send },
    input,
    h(
      "div",
      { class: "edit-buttons" },
      h("button", { type: "button", class: "action", onclick: cancel }, t("turn.cancel")),
      h("button", { type: "submit", class: "action main-action" }, t("turn.ask")),
    ),
  );
}
