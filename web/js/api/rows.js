/**
 * Where conversations lie: tables of plain objects in IndexedDB, or in memory where that is blocked.
 *
 * Each user has tables of their own.
 *
 *   read(table, key)      the row, or undefined; the key of "turns" and "texts" is [conversation, id]
 *   list(table, first)    its rows by key; with `first`, those whose key begins with it
 *   write(puts, removals) all or nothing: puts are [table, row], removals [table, the conversation's id]
 */

import { nameFor } from "../memory.js";

const NAME = "acervo";
const VERSION = 1;
/** Table → the fields that make its key. */
const TABLES = { conversations: "id", turns: ["conversation", "id"], texts: ["conversation", "id"] };

/** Open the browser's database of whom `setOwner` named; rejects where it is blocked. */
export async function openRows() {
  const request = indexedDB.open(nameFor(NAME), VERSION);
  request.onupgradeneeded = () => {
    for (const [table, keyPath] of Object.entries(TABLES)) request.result.createObjectStore(table, { keyPath });
  };
  const database = await settle(request);
  // A newer version of the page, in another tab, waits for this one to let go.
  database.onversionchange = () => database.close();
  const reading = (table) => database.transaction(table).objectStore(table);
  return {
    kept: true,
    read: async (table, key) => settle(reading(table).get(key)),
    list: async (table, first) => settle(reading(table).getAll(first && below(first))),
    async write(puts, removals = []) {
      const work = database.transaction(Object.keys(TABLES), "readwrite");
      for (const [table, row] of puts) work.objectStore(table).put(row);
      for (const [table, key] of removals) work.objectStore(table).delete(isWhole(table) ? key : below(key));
      await new Promise((resolve, reject) => {
        work.oncomplete = resolve;
        work.onabort = () => reject(work.error);
      });
    },
  };
}

/** Remove what is kept of `user`; open pages let go of it. Resolves also where nothing can be kept. */
export async function removeRows(user) {
  try {
    await settle(indexedDB.deleteDatabase(nameFor(NAME, user)));
  } catch {
    // Storage is blocked, or a page that does not answer holds it: then it goes with that page.
  }
}

/** The same, forgotten with the page. */
export function openMemory() {
  const tables = Object.fromEntries(Object.keys(TABLES).map((table) => [table, new Map()]));
  const keyOf = (table, row) => (isWhole(table) ? row.id : `${row.conversation}/${row.id}`);
  return {
    kept: false,
    read: async (table, key) => tables[table].get(isWhole(table) ? key : key.join("/")),
    list: async (table, first) => [...tables[table].values()].filter((row) => !first || row.conversation === first),
    async write(puts, removals = []) {
      for (const [table, row] of puts) tables[table].set(keyOf(table, row), structuredClone(row));
      for (const [table, key] of removals) {
        for (const known of [...tables[table].keys()]) {
          if (known === key || known.startsWith(`${key}/`)) tables[table].delete(known);
        }
      }
    },
  };
}

function isWhole(table) {
  return typeof TABLES[table] === "string";
}

/** Every key that begins with `first`: an array sorts after every string. */
function below(first) {
  return IDBKeyRange.bound([first], [first, []]);
}

function settle(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new DOMException("blocked", "InvalidStateError"));
  });
}
