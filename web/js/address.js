/** The address names the conversation that is shown, `#c=ID`, so that reload, back and forward and links work. */

/** The id in the address, or "". */
export function readAddress() {
  return /^#c=([\w-]{1,80})$/.exec(location.hash)?.[1] ?? "";
}

/**
 * Keep the address and the shown conversation together.
 * @param {ReturnType<import("./store.js").createStore>} store
 * @param {ReturnType<import("./api/conversation.js").createConversation>} conversation
 * @param {() => void} onMissing called when the address names a conversation that is not here
 * @returns {Promise<void>} resolves when the conversation of the address is shown
 */
export async function followAddress(store, conversation, onMissing) {
  async function open() {
    const id = readAddress();
    if (!id) return conversation.begin();
    if (await conversation.open(id)) return;
    write("");
    conversation.begin();
    onMissing();
  }
  await open();
  addEventListener("hashchange", open);
  store.turns.subscribe((turns) => write(turns.length ? store.conversation.value : ""));
}

/** The first question of a new conversation names the page that is open; everything else is a step to go back from. */
function write(id) {
  const before = readAddress();
  if (id === before) return;
  const address = id ? `#c=${id}` : location.pathname;
  if (before === "") history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}
