/** The server's small reports, and the addresses of documents and page images. */

import { request } from "./requests.js";

/** GET /documents → Document[]. Rejects when the server does not answer or refuses. */
export async function listDocuments() {
  const response = await request("/documents");
  if (!response.ok) throw new Error(`GET /documents: ${response.status}`);
  const body = await response.json();
  return body.documents ?? [];
}

/** DELETE /documents/{id} → until when it can be restored, in milliseconds by this machine's clock. */
export async function deleteDocument(id) {
  const response = await send(id, "", "DELETE");
  const { undo_until } = await response.json();
  // The server's clock may be another one; its header leaves out the part of a second.
  const now = Date.parse(response.headers.get("Date")) || Date.now();
  return Date.now() + undo_until * 1000 - now - 1000;
}

/** POST /documents/{id}/restore: a deleted document comes back. Rejects when it is too late. */
export function restoreDocument(id) {
  return send(id, "/restore", "POST");
}

async function send(id, what, method) {
  const response = await request(`/documents/${encodeURIComponent(id)}${what}`, { method });
  if (!response.ok) throw new Error(`${method} ${response.url}: ${response.status}`);
  return response;
}

/** GET /ready → its report, also when that says "not ready" (503). Rejects when nothing answers. */
export async function readReadiness() {
  const response = await fetch("/ready");
  return response.json();
}

/** GET /topics → Topic[]: headings to ask about, those in `language` (of the page) first. Rejects as `listDocuments` does. */
export async function listTopics(language) {
  const response = await request(`/topics?language=${language.split("-")[0]}`);
  if (!response.ok) throw new Error(`GET /topics: ${response.status}`);
  return (await response.json()).topics;
}

/** GET /collections → the names of the collections that the asker sees, "" for what is in none. Rejects likewise. */
export async function listCollections() {
  const response = await request("/collections");
  if (!response.ok) throw new Error(`GET /collections: ${response.status}`);
  return (await response.json()).collections.map(({ name }) => name);
}

/** The document itself, opened by the browser at `page`. */
export function fileAddress(documentId, page = 1) {
  return `/documents/${encodeURIComponent(documentId)}/file#page=${page}`;
}

/** Pixels of a page image for each point of the page. */
export const IMAGE_ZOOM = 2;

/** The image of the page of a source, its passage highlighted, sharp enough to be enlarged. */
export function pageImageAddress(source) {
  return pageAddress(source, ".png", { zoom: String(IMAGE_ZOOM) });
}

/** The text of the page of a source → {text, marks: [[start, end]]}. Rejects as `listDocuments` does. */
export async function readPageText(source) {
  const response = await request(pageAddress(source, "", {}));
  if (!response.ok) throw new Error(`GET ${response.url}: ${response.status}`);
  return response.json();
}

function pageAddress(source, ending, values) {
  const query = new URLSearchParams({ ...values, highlight: source.chunk_id ?? "" });
  for (const id of source.joined ?? []) query.append("highlight", id);
  return `/documents/${encodeURIComponent(source.document)}/pages/${source.page}${ending}?${query}`;
}
