/** What the sidebar's menus do with conversations: write them to files, bring them back, delete them. */

import { writeJson, writeMarkdown } from "../exchange.js";
import { t } from "../i18n/index.js";
import { h } from "./dom.js";
import { chooseFile, saveFile, toFileName } from "./files.js";

const MAX_FILE_BYTES = 100_000_000;
/** How long a message stays that offers nothing to press. */
const SAID_MS = 10_000;

/** @param {{store: object, library: object}} page */
export function createKeeping({ store, library }, note) {
  const count = () => store.conversations.value?.length ?? 0;
  let timer = 0;
  const allIds = () => store.conversations.value.map(({ id }) => id);

  /** Show `words` in the sidebar, with a button for each of `buttons`: [label, run]. */
  function say(words, ...buttons) {
    const close = (run) => () => {
      note.replaceChildren();
      run();
    };
    clearTimeout(timer);
    if (buttons.length === 0) timer = setTimeout(() => note.replaceChildren(), SAID_MS);
    note.replaceChildren(
      h("p", {}, words),
      ...buttons.map(([label, run]) => h("button", { type: "button", class: "action", onclick: close(run) }, label)),
    );
  }
  async function exportAs(kind, name, ids) {
    const conversations = await library.take(ids);
    if (kind === "md") saveFile(toFileName(name, "md"), "text/markdown", writeMarkdown(conversations, t));
    else saveFile(toFileName(name, "json"), "application/json", writeJson(conversations));
  }
  async function remove(ids, words) {
    const undo = await library.remove(ids);
    say(words, [t("history.undo"), undo]);
    note.querySelector("button").focus();
  }
  function confirmAll() {
    const n = count();
    const yes = () => remove(allIds(), t("history.deletedAll", { n }));
    say(t("history.confirmAll", { n }), [t("history.deleteAll"), yes], [t("turn.cancel"), () => undefined]);
    note.querySelector("button").focus();
  }
  async function bring(file) {
    if (file.size > MAX_FILE_BYTES) return say(t("history.badFile", { detail: t("history.tooLarge") }));
    try {
      const { added, known } = await library.bring(await file.text());
      say(
        [t("history.imported", { n: added }), known > 0 && t("history.known", { n: known })].filter(Boolean).join(" "),
      );
    } catch (error) {
      // What is not JSON and what is other JSON differ only in what can be said about it.
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      say(t("history.badFile", { detail: error.message }));
    }
  }

  return {
    /** The entries of a conversation's own menu. */
    describeOne: ({ id, title }) => [
      [t("history.markdown"), () => exportAs("md", title, [id])],
      [t("history.json"), () => exportAs("json", title, [id])],
      [t("history.delete"), () => remove([id], t("history.deleted", { title }))],
    ],
    /** The entries of the menu for all of them. */
    describeAll: () => [
      [t("history.import"), () => chooseFile(".json,application/json", bring)],
      ...(count() > 0
        ? [
            [t("history.allMarkdown"), () => exportAs("md", "acervo")],
            [t("history.allJson"), () => exportAs("json", "acervo")],
            [t("history.deleteAll"), confirmAll],
          ]
        : []),
    ],
  };
}
