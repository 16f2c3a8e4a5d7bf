/** What all fields for questions do alike. */

const TALLEST = 0.4;

/** Call `send(event)` when the key is an Enter that sends; whether it was. */
export function onEnter(event, send) {
  // While an input method composes, Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return false;
  event.preventDefault();
  send(event);
  return true;
}

/** As tall as its text, at most a part of the window's height. */
export function fitHeight(input) {
  input.style.height = "auto";
  // Before it is in the document its scrollHeight is 0; `rows` then gives the height.
  if (input.scrollHeight) input.style.height = `${Math.min(input.scrollHeight, innerHeight * TALLEST)}px`;
}
