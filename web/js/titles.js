/** What conversations are called and how their list is divided. Pure. */

export const MAX_TITLE = 80;

/** A question or a name, or its beginning up to a whole word, on one line. */
export function makeTitle(text) {
  const line = text.replace(/\s+/g, " ").trim();
  const characters = [...line];
  if (characters.length <= MAX_TITLE) return line;
  const start = characters.slice(0, MAX_TITLE - 1).join("");
  const word = start.lastIndexOf(" ");
  return `${(word > MAX_TITLE / 2 ? start.slice(0, word) : start).trimEnd()}…`;
}

/**
 * The list, newest first, as `{day, list}`: `day` is the midnight at which the local day of its conversations began.
 * @param {{updated: number}[]} list in milliseconds since the epoch
 */
export function groupByDay(list) {
  const groups = [];
  for (const entry of [...list].sort((a, b) => b.updated - a.updated)) {
    const day = startOfDay(entry.updated);
    if (groups.at(-1)?.day !== day) groups.push({ day, list: [] });
    groups.at(-1).list.push(entry);
  }
  return groups;
}

/** How many local days lie between two moments; 0 within one day, whatever summer time does. */
export function countDays(earlier, later) {
  return Math.round((startOfDay(later) - startOfDay(earlier)) / 86_400_000);
}

function startOfDay(moment) {
  return new Date(moment).setHours(0, 0, 0, 0);
}
