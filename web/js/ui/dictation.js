/**
 * Speaks a question instead of typing it, only where the browser promises to recognise speech on this machine
 * (`processLocally`, https://webaudio.github.io/web-speech-api/) and has what it needs for that.
 */

import { currentLanguage, t } from "../i18n/index.js";
import { iconButton } from "./dom.js";

/** A button, hidden where speech would have to leave the machine; what is said is added to `input`. */
export function createDictation(input) {
  const button = iconButton("mic", t("dictation.start"), toggle, { class: "icon-button options-button", hidden: true });
  const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;
  let recognition = null;

  async function offer() {
    if (!Recognition?.available || !("processLocally" in Recognition.prototype)) return;
    const found = await Recognition.available({ langs: [currentLanguage()], processLocally: true }).catch(() => "");
    button.hidden = found !== "available";
  }
  function toggle() {
    if (recognition) recognition.stop();
    else listen();
  }
  function listen() {
    recognition = Object.assign(new Recognition(), {
      processLocally: true,
      continuous: true,
      interimResults: true,
      lang: currentLanguage(),
      onresult: (event) => write([...event.results].map(([best]) => best.transcript).join("")),
      onend: () => show(null),
    });
    const before = input.value && `${input.value.trimEnd()} `;
    const write = (words) => {
      input.value = before + words.trimStart();
      input.dispatchEvent(new Event("input"));
    };
    recognition.start();
    show(recognition);
  }
  function show(now) {
    recognition = now;
    button.setAttribute("aria-pressed", String(Boolean(now)));
    button.title = t(now ? "dictation.stop" : "dictation.start");
    button.setAttribute("aria-label", button.title);
    if (!now) input.focus();
  }

  void offer();
  const abort = () => recognition?.abort();
  return { element: button, stop: abort, destroy: abort };
}
