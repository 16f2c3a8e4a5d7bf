/** The language of the page: chosen by the browser or the person, loaded one at a time. */

import { recall, remember } from "../memory.js";
import { countDays } from "../titles.js";

export const LANGUAGES = { "pt-BR": "Português", en: "English", es: "Español", fr: "Français" };

const REMEMBERED = "acervo.language";
/** Characters that turn what follows them, and letters that run from right to left. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;
const LEFTWARDS = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

let words = {};
let wanted = "";
let tag = "en";
let plurals = new Intl.PluralRules(tag);

/** The language to begin with: the remembered one, else the first of the browser's that we speak. */
export function preferredLanguage(remembered = recall(REMEMBERED), wanted = navigator.languages) {
  return [remembered, ...wanted].map(matchLanguage).find(Boolean) ?? "en";
}

/** Make `language` the page's; its words are fetched when they are not here yet: by `load`, those of the chat. */
export async function useLanguage(language, load = (tag) => import(`./${tag}.js`)) {
  wanted = language;
  const loaded = await load(language);
  // Another one was chosen while this one was on its way.
  if (wanted !== language) return;
  words = loaded.default;
  tag = language;
  plurals = new Intl.PluralRules(tag);
  document.documentElement.lang = tag;
}

/** Remember the choice for the next visit. */
export function rememberLanguage(language) {
  remember(REMEMBERED, language);
}

/** The language in use. */
export function currentLanguage() {
  return tag;
}

/**
 * The words for `key`, `{name}` replaced by `values.name`: numbers as the language writes them, texts so that
 * they cannot turn the words around them.
 * An entry with plural forms is chosen by `values.n`.
 */
export function t(key, values = {}) {
  const entry = words[key];
  const text = typeof entry === "string" ? entry : (entry[plurals.select(values.n)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => formatValue(values[name]));
}

/**
 * `text` from elsewhere so that it can stand among words of the page's without turning them around. An element does
 * not do that: what is opened in its text and left open ends with the element instead of it.
 */
export function isolate(text) {
  const straight = text.replace(TURNING, "");
  return LEFTWARDS.test(straight) ? `\u2068${straight}\u2069` : straight;
}

/** A number as the language writes it. */
export function formatNumber(value, options) {
  return new Intl.NumberFormat(tag, options).format(value);
}

/** The day that begins at this moment: "Today", "Yesterday", or its date. */
export function formatDay(day) {
  const days = countDays(day, Date.now());
  const more = { ...(days < 7 && { weekday: "long" }), ...(days > 300 && { year: "numeric" }) };
  const words =
    days < 2
      ? new Intl.RelativeTimeFormat(tag, { numeric: "auto" }).format(-days, "day")
      : new Intl.DateTimeFormat(tag, { day: "numeric", month: "long", ...more }).format(day);
  return words.charAt(0).toLocaleUpperCase(tag) + words.slice(1);
}

/** The day of this moment, in seconds since 1970, as the language writes it. */
export function formatDate(seconds) {
  return new Intl.DateTimeFormat(tag, { dateStyle: "medium" }).format(seconds * 1000);
}

/** A number of bytes in kilobytes or megabytes. */
export function formatBytes(bytes) {
  const [value, unit] = bytes < 1_000_000 ? [Math.ceil(bytes / 1000), "kilobyte"] : [bytes / 1_000_000, "megabyte"];
  return formatNumber(value, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** The name of the language with this ISO 639 code, or "" for what is no code. */
export function formatLanguage(code) {
  try {
    return new Intl.DisplayNames(tag, { type: "language", fallback: "none" }).of(code) ?? "";
  } catch {
    return "";
  }
}

function formatValue(value) {
  return typeof value === "number" ? formatNumber(value) : isolate(String(value));
}

function matchLanguage(wanted) {
  const base = wanted?.toLowerCase().split("-")[0];
  return Object.keys(LANGUAGES).find((language) => language.toLowerCase().split("-")[0] === base);
}
