/** Requests of these pages: JSON in, JSON out. */

/** The server refused, or (status 0) did not answer. `waitS`: seconds after which another attempt makes sense, or 0. */
export class Refusal extends Error {
  constructor(status, message = "", waitS = 0) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.waitS = waitS;
  }
}

/** What the server answers, null for nothing; rejects with a `Refusal`. */
export async function call(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => null);
  if (!response) throw new Refusal(0);
  const told = await response.json().catch(() => null);
  if (response.ok) return told;
  throw new Refusal(response.status, told?.error ?? "", Number(response.headers.get("Retry-After")) || 0);
}
