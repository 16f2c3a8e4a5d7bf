/** The loaded documents: listed, deleted with a way back, chosen for the questions to come. */

import { deleteDocument, listDocuments, restoreDocument } from "./server.js";

/** As many as one question may name. */
export const MAX_CHOSEN = 1000;

/** @param {ReturnType<import("../store.js").createStore>} store */
export function createCollection(store) {
  let asked = 0;
  let answered = 0;
  const chosen = () => store.options.value.documents;

  async function refresh() {
    const mine = ++asked;
    const next = await listDocuments().then(
      (list) => ({ phase: "loaded", list }),
      () => ({ ...store.documents.value, phase: "failed" }),
    );
    // What was asked later knows more, whichever came first.
    if (mine < answered) return;
    answered = mine;
    // The same list again is no news: what is pressed just now stays in its place.
    if (JSON.stringify(next) !== JSON.stringify(store.documents.value)) store.documents.value = next;
  }
  /** Ask these documents only; none means all. */
  function choose(documents) {
    store.options.value = { ...store.options.value, documents };
  }
  function forget(entry) {
    store.deleted.value = store.deleted.value.filter(({ document }) => document.id !== entry.document.id);
  }
  return {
    refresh,
    choose,
    forget,
    /** Choose one or no longer. */
    toggle(id, wanted) {
      choose([...chosen().filter((one) => one !== id), ...(wanted ? [id] : [])]);
    },
    /** Delete it; rejects when the server did not. Until `undo_until` it stands in `store.deleted`. */
    async remove(document) {
      const until = await deleteDocument(document.id);
      const entry = { document, chosen: chosen().includes(document.id), until, failed: false };
      store.deleted.value = [...store.deleted.value, entry];
      if (entry.chosen) choose(chosen().filter((id) => id !== document.id));
      await refresh();
    },
    /** Bring it back; resolves to whether that worked. */
    async restore(entry) {
      const { id } = entry.document;
      try {
        await restoreDocument(id);
      } catch {
        store.deleted.value = store.deleted.value.map((one) => (one === entry ? { ...one, failed: true } : one));
        return false;
      }
      forget(entry);
      if (entry.chosen) choose([...chosen(), id]);
      await refresh();
      return true;
    },
  };
}
