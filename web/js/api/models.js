/** The models that can answer, and the hosts that a person allowed questions to be sent to. */

import { nameFor, recall, remember } from "../memory.js";
import { AnswerError } from "./errors.js";
import { request } from "./requests.js";

const CHOSEN = "acervo.model";
const ALLOWED = "acervo.remote";

/**
 * @param {ReturnType<import("../store.js").createStore>} store
 * @param {(model: object) => Promise<boolean>} ask asks the person whether questions may be sent to this model's host
 */
export function createModels(store, ask) {
  let reading = null;
  const find = (name) => store.models.value.list.find((model) => (name ? model.name === name : model.default));
  const setModel = (model) => {
    store.options.value = { ...store.options.value, model };
  };

  /** Read the list anew. Never rejects. */
  function refresh() {
    reading ??= readModels()
      .then(
        (list) => ({ phase: "loaded", list }),
        () => ({ ...store.models.value, phase: "failed" }),
      )
      .then((state) => {
        // The same list again is no news: what is pressed just now stays in its place.
        if (JSON.stringify(state) !== JSON.stringify(store.models.value)) store.models.value = state;
        reading = null;
      });
    return reading;
  }
  /** Whether a question may go to this model ("" for the default); asks once for each host that is not this machine. */
  async function permit(name) {
    if (!find(name)) await refresh();
    const model = find(name);
    // What cannot be told apart from a remote model is not asked.
    if (!model && store.models.value.phase === "failed") throw new AnswerError("gone");
    if (!model || model.local || store.allowed.value.includes(model.host)) return true;
    if (!(await ask(model))) return false;
    setAllowed([...store.allowed.value, model.host]);
    return true;
  }
  function setAllowed(hosts) {
    remember(ALLOWED, JSON.stringify(hosts));
    store.allowed.value = hosts;
  }

  store.allowed.value = listAllowed();
  // What another tab takes back holds here, too.
  globalThis.addEventListener?.("storage", ({ key }) => {
    if (key === nameFor(ALLOWED)) store.allowed.value = listAllowed();
  });
  setModel(recall(CHOSEN) ?? "");
  return {
    refresh,
    permit,
    find,
    /** Let this model answer from now on; resolves to whether the person wants that. */
    async choose(name) {
      if (!(await permit(name))) return false;
      // Who chooses the default follows the server's settings.
      const model = find(name)?.default ? "" : name;
      setModel(model);
      remember(CHOSEN, model);
      return true;
    },
    /** Nothing more is sent to `host` without asking again. */
    revoke: (host) => setAllowed(store.allowed.value.filter((each) => each !== host)),
  };
}

/** Hosts, kept in this browser alone. */
function listAllowed() {
  try {
    const hosts = JSON.parse(recall(ALLOWED) ?? "[]");
    return Array.isArray(hosts) ? hosts : [];
  } catch {
    return [];
  }
}

async function readModels() {
  const response = await request("/models");
  if (!response.ok) throw new Error(`GET /models: ${response.status}`);
  return (await response.json()).models;
}
