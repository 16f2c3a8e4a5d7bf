/** The way in for files. What sends them is fetched when the first one comes, or the server is at work on some. */

/**
 * @param {ReturnType<import("./store.js").createStore>} store
 * @param {() => void} onDocuments called when the list of documents has changed
 */
export function createAdding(store, onDocuments) {
  let loading = null;
  const load = () =>
    (loading ??= import("./api/transfers.js").then(({ createTransfers }) => createTransfers(store, onDocuments)));
  return {
    /** Resolves to the service of `api/transfers.js`. */
    load,
    /** Add these files and show how that goes; `leftOut` files beside them are no documents. */
    async add(files, leftOut = 0) {
      store.leftOut.value = leftOut;
      store.documentsOpen.value = true;
      (await load()).add(files);
    },
    /** Look what the server is at work on; where that cannot be known, nothing is shown. */
    resume: () =>
      load()
        .then((transfers) => transfers.resume())
        .catch(() => undefined),
  };
}
