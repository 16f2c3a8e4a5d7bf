/**
 * What the browser keeps for the next visit, for each user apart. Where storage is blocked, nothing is kept and
 * nothing breaks.
 */

/** What belongs to the machine, whoever sits at it. */
const SHARED = ["acervo.theme", "acervo.language", "acervo.who"];
/** No user's name holds it. */
const MARK = ":";

let owner = "";

/** From now on what is kept and recalled belongs to this user; "" where nobody logs in. */
export function setOwner(user) {
  owner = user;
}

/** How something that belongs to `user` is called, by default to whom `setOwner` named. */
export function nameFor(key, user = owner) {
  return user && !SHARED.includes(key) ? `${key}${MARK}${user}` : key;
}

/** @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(nameFor(key));
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(nameFor(key), value);
  } catch {
    // A choice that cannot be kept still holds for this visit.
  }
}

/** Keep nothing of this user any longer. */
export function forgetOwner(user) {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith("acervo.") && key.endsWith(`${MARK}${user}`));
    keys.forEach((key) => localStorage.removeItem(key));
  } catch {
    // Nothing was kept either.
  }
}
