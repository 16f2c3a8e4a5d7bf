/** Where the question is typed. Enter sends, Shift+Enter breaks the line. */

import { t } from "../i18n/index.js";
import { createDictation } from "./dictation.js";
import { h, icon } from "./dom.js";
import { fitHeight, onEnter } from "./field.js";
import { createModelSwitch } from "./models.js";
import { createOptions } from "./options.js";
import { createStatus } from "./status.js";

/** @param {{store: object, conversation: object}} page */
export function createComposer(page) {
  const { store, conversation } = page;
  const input = createField(changed, submit);
  const send = roundButton("send", t("composer.send"), { type: "submit", class: "send" });
  const stop = roundButton("stop", t("composer.stop"), { type: "button", class: "send stop", onclick: stopAnswer });
  const status = createStatus(store);
  const options = createOptions(page);
  const model = createModelSwitch(page);
  const dictation = createDictation(input);
  const hint = h("p", { class: "hint", id: "composer-hint" }, t("composer.hint"));
  const element = h(
    "form",
    { class: "composer", onsubmit: onSubmit },
    h("div", { class: "field" }, options.elements, input, dictation.element, send, stop),
    h("div", { class: "below" }, status.element, model.elements, hint),
  );

  function changed() {
    store.draft.value = input.value;
    send.disabled = input.value.trim() === "";
    fitHeight(input);
  }
  function submit() {
    if (store.answering.value || !input.value.trim()) return;
    const question = input.value;
    dictation.stop();
    input.value = "";
    changed();
    conversation.ask(question);
  }
  function onSubmit(event) {
    event.preventDefault();
    submit();
    input.focus();
  }
  function stopAnswer() {
    conversation.stop();
    input.focus();
  }

  input.value = store.draft.value;
  const end = store.answering.subscribe((answering) => swapButtons(send, stop, input, Boolean(answering)));
  changed();
  const ends = [end, status.destroy, options.destroy, model.destroy, dictation.destroy];
  return { element, focus: () => input.focus(), destroy: () => ends.forEach((each) => each()) };
}

function createField(oninput, submit) {
  return h("textarea", {
    id: "question",
    rows: 1,
    placeholder: t("composer.placeholder"),
    "aria-label": t("composer.label"),
    "aria-describedby": "composer-hint",
    oninput,
    onkeydown: (event) => onEnter(event, submit),
  });
}

function roundButton(drawing, label, attributes) {
  return h("button", { "aria-label": label, title: label, ...attributes }, icon(drawing));
}

/** Stop takes the place of Send while an answer is written; a focus on it is not lost with it. */
function swapButtons(send, stop, input, answering) {
  const focused = document.activeElement === stop;
  send.hidden = answering;
  stop.hidden = !answering;
  if (focused && !answering) input.focus();
}
