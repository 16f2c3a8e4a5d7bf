/** The ways out of the page to the login, and what is taken along. */

import { removeRows } from "./api/rows.js";
import { forgetOwner } from "./memory.js";

const DRAFT = "acervo.draft";
const CHANNEL = "acervo.leaving";

/** Go to the login, and from there back to where one was. */
export function toLogin() {
  const { pathname, search, hash } = location;
  location.replace(`/login?next=${encodeURIComponent(`${pathname}${search}${hash}`)}`);
}

/** End the session and everything that this browser shows of `user`; with `forget` also what it keeps. Rejects. */
export async function logOut(user, forget) {
  const response = await fetch("/logout", { method: "POST" });
  if (!response.ok) throw new Error(`POST /logout: ${response.status}`);
  if (forget) {
    await removeRows(user);
    forgetOwner(user);
  }
  globalThis.BroadcastChannel && new BroadcastChannel(CHANNEL).postMessage(user);
  clear();
}

/** Show nothing of `user` after a log out in another tab, nor when somebody goes back to the page after one. */
export function followLogOut(user) {
  if (globalThis.BroadcastChannel) {
    new BroadcastChannel(CHANNEL).onmessage = ({ data }) => data === user && clear();
  }
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

/**
 * What to do when the session has ended on its own: wait for the answer that is being written, keep what is typed,
 * and go to the login.
 * @param {ReturnType<import("./store.js").createStore>} store
 * @param {() => Promise<unknown>} settle resolves when all that was to be kept is kept
 */
export function createEnd(store, user, settle) {
  let ending = false;
  async function leave() {
    keepDraft(user, store.draft.value);
    await settle().catch(() => undefined);
    toLogin();
  }
  return () => {
    if (ending) return;
    ending = true;
    store.answering.subscribe((answering) => answering || leave());
  };
}

/** What `user` had typed when the session ended; "" for everybody else. It is given once. */
export function takeDraft(user) {
  try {
    const { user: whose, text } = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
    sessionStorage.removeItem(DRAFT);
    return whose === user && typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}

function keepDraft(user, text) {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify({ user, text }));
  } catch {
    // Storage is blocked: it has to be typed again.
  }
}

function clear() {
  document.body.replaceChildren();
  location.replace("/login");
}
