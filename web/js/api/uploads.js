/** POST /documents: one file in, the server's job for it out. By XMLHttpRequest: it alone reports upload progress. */

import { noteStatus, request as ask } from "./requests.js";

/** Why a file was not taken: `kind` as the server names it, "gone" when nothing answered, "" when it said no kind. */
export class UploadError extends Error {
  constructor(kind, message = "") {
    super(message);
    this.name = "UploadError";
    this.kind = kind;
  }
}

/**
 * Send `file` into `collection`; `onProgress` is called with the share that is on its way, 0 to 1. Resolves to the job; rejects with an
 * `UploadError`, or with an AbortError after `signal` was aborted.
 * @param {File} file
 * @param {{collection?: string, signal: AbortSignal, onProgress: (sent: number) => void}} options
 */
export function sendFile(file, { collection = "", signal, onProgress }) {
  const { promise, resolve, reject } = withResolvers();
  const request = new XMLHttpRequest();
  const abort = () => request.abort();
  request.open("POST", "/documents");
  request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
  request.onload = () => {
    noteStatus(request.status);
    const { job, error } = readReply(request.status, request.responseText);
    if (job) resolve(job);
    else reject(error);
  };
  request.onerror = () => reject(new UploadError("gone"));
  request.onabort = () => reject(new DOMException("", "AbortError"));
  request.onloadend = () => signal.removeEventListener("abort", abort);
  signal.addEventListener("abort", abort);
  const form = new FormData();
  // The server reads it before the file.
  if (collection) form.append("collection", collection);
  form.append("file", file, file.name);
  request.send(form);
  return promise;
}

/** Have the server fetch a web page, `file.url`. As `sendFile`. */
export async function sendAddress({ url }, { collection, signal }) {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify({ url, collection }), signal };
  const response = await ask("/documents", options).catch((error) => {
    throw error.name === "AbortError" ? error : new UploadError("gone");
  });
  const { job, error } = readReply(response.status, await response.text());
  if (job) return job;
  throw error;
}

/** What the server said: {job} or {error: UploadError}. Pure. */
export function readReply(status, text) {
  const body = parse(text);
  const job = body.jobs?.[0];
  if (job) return { job };
  const refusal = body.refused?.[0] ?? body;
  const known = refusal.kind || { 413: "too_large", 415: "wrong_format", 429: "too_many" }[status];
  return { error: new UploadError(known ?? "", typeof refusal.error === "string" ? refusal.error : `${status}`) };
}

/** The kind of refusal that this file will meet, or "": a courtesy that spares sending it; the server decides. */
export function foreseeRefusal(file, maxBytes) {
  if (file.unread) return "unread";
  if (file.size === 0) return "empty";
  return maxBytes && file.size > maxBytes ? "too_large" : "";
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function withResolvers() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
