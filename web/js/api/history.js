/**
 * The conversations that this browser keeps. Each turn is a row of its own, so that two tabs that write in one
 * conversation both keep what they wrote, and saving while an answer arrives writes that turn alone.
 *
 * A conversation is `{id, title, created, updated, chosen, options}`; its turns are rows as `store.js` makes them.
 */

import { nameFor } from "../memory.js";

const CHANNEL = "acervo.history";
const TABLES = ["conversations", "turns", "texts"];

/**
 * @param {ReturnType<import("./rows.js").openMemory>} rows
 */
export function createHistory(rows) {
  const channel = typeof BroadcastChannel === "undefined" || !rows.kept ? null : new BroadcastChannel(nameFor(CHANNEL));
  const tell = (id) => channel?.postMessage(id);

  async function save(conversation, turns) {
    await rows.write([["conversations", conversation], ...turns.flatMap((turn) => toRows(conversation.id, turn))]);
    tell(conversation.id);
  }
  async function open(id) {
    const [conversation, turns] = await Promise.all([rows.read("conversations", id), rows.list("turns", id)]);
    return conversation && { ...conversation, turns: turns.sort(byTime) };
  }
  return {
    /** Whether they outlast the page. */
    kept: rows.kept,
    /** Every conversation without its turns, newest first. */
    list: async () => (await rows.list("conversations")).sort((a, b) => b.updated - a.updated),
    /** One with its turns in the order in which they were asked, or undefined. */
    open,
    /** One turn as it is kept, or undefined. */
    openTurn: (conversation, id) => rows.read("turns", [conversation, id]),
    /** Write the conversation and these of its turns. */
    save,
    /** Whole conversations with their turns: those in `ids`, or every one. */
    async take(ids) {
      const wanted = ids ?? (await rows.list("conversations")).map(({ id }) => id);
      return (await Promise.all(wanted.map(open))).filter(Boolean);
    },
    /** Write whole conversations, as `take` gave them. */
    async put(conversations) {
      for (const { turns, ...conversation } of conversations) await save(conversation, turns);
    },
    async remove(ids) {
      await rows.write(
        [],
        ids.flatMap((id) => TABLES.map((table) => [table, id])),
      );
      ids.forEach(tell);
    },
    /** The ids of the conversations whose questions and answers hold every word of `text`. */
    async search(text) {
      const words = fold(text).split(/\s+/).filter(Boolean);
      const texts = new Map();
      for (const { conversation, text: part } of await rows.list("texts")) {
        texts.set(conversation, `${texts.get(conversation) ?? ""}\n${part}`);
      }
      return new Set([...texts.keys()].filter((id) => words.every((word) => texts.get(id).includes(word))));
    },
    /** Call `listener(id)` when another tab changed a conversation. */
    watch(listener) {
      if (channel) channel.onmessage = ({ data }) => listener(data);
    },
  };
}

/** Text as it is compared in a search: small letters, no accents. */
export function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function toRows(conversation, turn) {
  const key = { conversation, id: turn.id };
  return [
    ["turns", { ...turn, ...key }],
    ["texts", { ...key, text: fold(`${turn.question}\n${turn.answer.text}`) }],
  ];
}

function byTime(a, b) {
  return a.asked - b.asked || (a.id < b.id ? -1 : 1);
}
