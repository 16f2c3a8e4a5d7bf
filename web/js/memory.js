/** What the browser keeps for the next visit. Where storage is blocked, nothing is kept and nothing breaks. */

/** @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A choice that cannot be kept still holds for this visit.
  }
}
