/**
 * Reads answers aloud, with voices of this machine only: others would send the text away. Sentence by sentence,
 * because some browsers fall silent after 15 seconds of one utterance.
 */

import { currentLanguage, t } from "../i18n/index.js";
import { stripMarkdown } from "../render/plain.js";
import { h, icon } from "./dom.js";

const CITATIONS = /\s*\[\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\]/g;

/** The sentences of an answer as they are spoken: without Markdown, code or citations. */
export function splitSpoken(text, language) {
  const words = text
    .replace(/^```[\s\S]*?(?:^```|$(?![\s\S]))/gm, "")
    .replace(CITATIONS, "")
    .split(/\n{2,}|\n(?=\s*(?:[-*+#|]|\d+[.)]))/)
    .map(stripMarkdown);
  const segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
  return words.flatMap((part) => [...segmenter.segment(part)].map(({ segment }) => segment.trim())).filter(Boolean);
}

/** The voice to read `language` with, or undefined: of this machine, of the same country if there is one. */
export function chooseVoice(voices, language) {
  const base = (tag) => tag.replace("_", "-").toLowerCase().split("-")[0];
  const able = voices.filter((voice) => voice.localService && base(voice.lang) === base(language));
  return able.find((voice) => voice.lang.replace("_", "-").toLowerCase() === language.toLowerCase()) ?? able[0];
}

/** A button that reads the answer of `turn` and, pressed again, stops; hidden without a voice. */
export function createSpeaker(turn) {
  const label = h("span", {}, t("speech.read"));
  const button = h(
    "button",
    { type: "button", class: "action", hidden: true, onclick: toggle },
    icon("speaker"),
    label,
  );
  const speech = globalThis.speechSynthesis;
  if (!speech) return button;
  const language = turn.answer.value.language || currentLanguage();
  const findVoice = () => chooseVoice(speech.getVoices(), language);
  let reading = false;

  function toggle() {
    const wasReading = reading;
    speech.cancel();
    if (!wasReading) start(findVoice());
  }
  function start(voice) {
    const sentences = splitSpoken(turn.answer.value.text, language);
    if (!voice || sentences.length === 0) return;
    show(true);
    const utterances = sentences.map((sentence) => makeUtterance(sentence, voice));
    // What is cancelled ends with an error.
    for (const each of utterances) each.onerror = () => show(false);
    utterances.at(-1).onend = () => show(false);
    utterances.forEach((each) => speech.speak(each));
  }
  function show(now) {
    reading = now;
    label.textContent = t(now ? "speech.stop" : "speech.read");
    if (now) addEventListener("pagehide", () => speech.cancel(), { once: true });
  }
  button.dataset.speaks = language;
  button.hidden = !findVoice();
  offerLater(speech);
  return button;
}

let listening = false;

/** Browsers find their voices some time after they are first asked. One listener, which holds no answer in memory. */
function offerLater(speech) {
  if (listening) return;
  listening = true;
  speech.addEventListener("voiceschanged", () => {
    for (const button of document.querySelectorAll("[data-speaks]")) {
      button.hidden = !chooseVoice(speech.getVoices(), button.dataset.speaks);
    }
  });
}

function makeUtterance(sentence, voice) {
  const utterance = new SpeechSynthesisUtterance(sentence);
  utterance.voice = voice;
  utterance.lang = voice.lang;
  return utterance;
}
