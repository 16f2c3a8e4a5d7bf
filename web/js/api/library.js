/** The list of kept conversations: read, removed with a way back, written to files and brought back from them. */

import { readJson } from "../exchange.js";
import { createId } from "../store.js";

/**
 * @param {ReturnType<import("../store.js").createStore>} store
 * @param {ReturnType<import("./history.js").createHistory>} history
 * @param {ReturnType<import("./conversation.js").createConversation>} conversation
 */
export function createLibrary(store, history, conversation) {
  async function refresh() {
    const list = await history.list();
    if (JSON.stringify(list) !== JSON.stringify(store.conversations.value)) store.conversations.value = list;
  }
  /** Another tab changed the conversation `id`. */
  async function follow(id) {
    await Promise.all([refresh(), conversation.merge(id)]);
  }
  history.watch((id) => follow(id).catch(() => undefined));
  return {
    refresh,
    search: history.search,
    take: history.take,
    rename: conversation.rename,
    /** Remove the conversations `ids`. Resolves to a function that brings them back. */
    async remove(ids) {
      conversation.flush();
      const taken = await history.take(ids);
      conversation.drop(ids);
      await history.remove(ids);
      await refresh();
      return () => history.put(taken).then(refresh);
    },
    /**
     * Add the conversations of an exported file. One that is here with all its turns is not added again; one that
     * is here with others is added beside it. Resolves to {added, known}; rejects as `readJson` does.
     */
    async bring(file) {
      const found = readJson(file);
      const fresh = [];
      for (const one of found) {
        const here = await history.open(one.id);
        if (!here) fresh.push(one);
        else if (!holds(here, one)) fresh.push({ ...one, id: createId() });
      }
      await history.put(fresh);
      await refresh();
      return { added: fresh.length, known: found.length - fresh.length };
    },
  };
}

function holds(here, other) {
  const ids = new Set(here.turns.map(({ id }) => id));
  return other.turns.every(({ id }) => ids.has(id));
}
