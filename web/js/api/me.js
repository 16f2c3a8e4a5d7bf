/** GET /me: who uses the page, and what they may do. */

import { recall, remember } from "../memory.js";
import { toLogin } from "../leaving.js";

/** Whose things this browser showed last. */
const LAST = "acervo.who";
const PATIENCE_MS = 3000;
const EVERYBODY = { name: "", display_name: "", role: "admin", scopes: ["ask", "read", "write", "admin"], login: false };

/**
 * Resolves to {name, display_name, role, scopes, login, unknown}. While the server cannot tell, that is everybody, as
 * where nobody logs in; `unknown` says that somebody did here before, whose things may not be shown.
 */
export async function readMe() {
  try {
    const response = await fetch("/me", { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 401) return leave();
    if (response.ok) return keep(await response.json());
  } catch {
    // It does not answer, or not in time.
  }
  return { ...EVERYBODY, unknown: Boolean(recall(LAST)) };
}

/** Nothing more is shown on the way out. */
function leave() {
  toLogin();
  return new Promise(() => undefined);
}

function keep(me) {
  remember(LAST, me.name);
  return { ...me, unknown: false };
}
