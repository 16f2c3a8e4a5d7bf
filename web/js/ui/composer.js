/** Where the question is typed. Enter sends, Shift+Enter breaks the line. */

import { t } from "../i18n/index.js";
import { h, icon } from "./dom.js";
import { createStatus } from "./status.js";

const TALLEST = 0.4;

/** @param {{store: object, conversation: object}} page */
export function createComposer(page) {
  const { store, conversation } = page;
  const input = h("textarea", {
    id: "question",
    rows: 1,
    placeholder: t("composer.placeholder"),
    "aria-label": t("composer.label"),
    "aria-describedby": "composer-hint",
    oninput: () => changed(),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    },
  });
  const send = h(
    "button",
    { type: "submit", class: "send", "aria-label": t("composer.send"), title: t("composer.send") },
    icon("send"),
  );
  const stop = h(
    "button",
    {
      type: "button",
      class: "send stop",
      "aria-label": t("composer.stop"),
      title: t("composer.stop"),
      onclick: stopAnswer,
    },
    icon("stop"),
  );
  const status = createStatus(store);

  function changed() {
    store.draft.value = input.value;
    send.disabled = input.value.trim() === "";
    fitHeight(input);
  }
  function submit() {
    if (store.answering.value || !input.value.trim()) return;
    const question = input.value;
    input.value = "";
    changed();
    conversation.ask(question);
  }
  function stopAnswer() {
    conversation.stop();
    input.focus();
  }

  const form = h(
    "form",
    {
      class: "composer",
      onsubmit: (event) => {
        event.preventDefault();
        submit();
        input.focus();
      },
    },
    h("div", { class: "field" }, input, send, stop),
    h("div", { class: "below" }, status.element, h("p", { class: "hint", id: "composer-hint" }, t("composer.hint"))),
  );
  input.value = store.draft.value;
  const end = store.answering.subscribe((answering) => {
    const hadFocus = document.activeElement === stop;
    send.hidden = Boolean(answering);
    stop.hidden = !answering;
    if (hadFocus && !answering) input.focus();
  });
  changed();
  return {
    element: form,
    focus: () => input.focus(),
    destroy() {
      end();
      status.destroy();
    },
  };
}

function fitHeight(input) {
  input.style.height = "auto";
  // Before it is in the document its scrollHeight is 0; `rows` then gives the height.
  if (input.scrollHeight) input.style.height = `${Math.min(input.scrollHeight, innerHeight * TALLEST)}px`;
}
