/** Where to go after the login. Pure. */

/**
 * The path that `search` names as `next`, with its own `#…` or this one; "/" for none, and for anything that is not on
 * this server.
 */
export function readNext(search, hash, origin) {
  const given = new URLSearchParams(search).get("next") ?? "/";
  // Browsers read a backslash as a slash, and leave out line breaks and tabs.
  if (!/^\/(?![/\\])[^\\\t\r\n]*$/.test(given)) return "/";
  const found = new URL(given, origin);
  // `/.//host` is a path until it is read a second time.
  if (found.origin !== origin || found.pathname.startsWith("//") || found.pathname === "/login") return "/";
  return `${found.pathname}${found.search}${found.hash || hash}`;
}
