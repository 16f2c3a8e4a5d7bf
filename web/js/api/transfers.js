/** Adds files: sends them two at a time, follows the server's work on them, and writes all of it into the store. */

import { recall, remember } from "../memory.js";
import { createId } from "../store.js";
import { canRetry, createTransfer, isActive, mergeJobs, withJob } from "../transfers.js";
import { cancelJob, followJob, listJobs, retryJob } from "./jobs.js";
import { UploadError, foreseeRefusal, sendAddress, sendFile } from "./uploads.js";

const AT_ONCE = 2;
/** Browsers open six connections to a host: one follows a job, the others are asked for together. */
const POLL_MS = 2000;
/** The server's queue is full: how long until it is asked again. */
const FULL_MS = 3000;
const DISMISSED = "acervo.dismissed";
const MAX_DISMISSED = 50;

/**
 * @param {ReturnType<import("../store.js").createStore>} store
 * @param {() => void} onDocuments called when the list of documents has changed
 */
export function createTransfers(store, onDocuments) {
  const { transfers } = store;
  const sending = new Map();
  let following = false;
  let full = 0;
  let maxBytes = 0;

  const find = (key) => transfers.value.find((transfer) => transfer.key === key);
  const change = (key, update) => {
    transfers.value = transfers.value.map((one) => (one.key === key ? { ...one, ...update } : one));
  };
  const activeJobs = () => transfers.value.filter(({ phase }) => phase === "working").map(({ job }) => job);

  function pump() {
    clearTimeout(full);
    const waiting = transfers.value.filter(({ phase }) => phase === "waiting");
    for (const { key, file, collection } of waiting.slice(0, AT_ONCE - sending.size)) void send(key, file, collection);
  }
  async function send(key, file, collection) {
    const controller = new AbortController();
    sending.set(key, controller);
    change(key, { phase: "sending", sent: 0, kind: "", detail: "" });
    try {
      const refusal = file.url ? "" : foreseeRefusal(file, maxBytes);
      if (refusal) throw new UploadError(refusal);
      const job = await (file.url ? sendAddress : sendFile)(file, { collection, signal: controller.signal, onProgress: (sent) => change(key, { sent }) });
      take(job, key);
    } catch (error) {
      fail(key, error);
    } finally {
      sending.delete(key);
      if (!full) pump();
    }
  }
  function fail(key, error) {
    if (error.name === "AbortError") return change(key, { phase: "stopped" });
    if (!(error instanceof UploadError)) throw error;
    if (error.kind !== "too_many") return change(key, { phase: "failed", kind: error.kind, detail: error.message });
    change(key, { phase: "waiting" });
    full = setTimeout(resumeSending, FULL_MS);
  }
  function resumeSending() {
    full = 0;
    pump();
  }

  /** The server said how a job is; `key` names the transfer that it answers, when that did not know its job yet. */
  function take(job, key) {
    const before = find(key) ?? transfers.value.find((one) => one.job?.id === job.id);
    if (!before) return;
    // Where the list of jobs was read between the file's arrival and this answer, it stands there twice.
    transfers.value = transfers.value
      .filter((one) => one === before || one.job?.id !== job.id)
      .map((one) => (one === before ? withJob(one, job) : one));
    if (before.job?.stage !== job.stage || before.job?.state !== job.state) onDocuments();
    void follow();
  }
  function takeAll({ jobs, limits }) {
    const before = transfers.value;
    transfers.value = mergeJobs(before, jobs, readDismissed());
    maxBytes = limits?.file_bytes ?? 0;
    if (JSON.stringify(before) !== JSON.stringify(transfers.value)) onDocuments();
  }
  /** A list that comes late may say that a job runs which is over: following it shows that. */
  async function resume() {
    takeAll(await listJobs());
    void follow();
  }
  /** Follow one job after the other; those that run come first. */
  async function follow() {
    if (following) return;
    following = true;
    const poll = setInterval(() => activeJobs().length > 1 && resume().catch(() => undefined), POLL_MS);
    try {
      for (let job; (job = findNext(activeJobs()));) await followOne(job.id);
    } finally {
      clearInterval(poll);
      following = false;
    }
  }
  async function followOne(id) {
    for await (const job of followJob(id)) {
      if (job) take(job);
      else setAway();
    }
    // The server forgot it: whoever began it can begin it again.
    const forgotten = transfers.value.find((one) => one.job?.id === id && one.phase === "working");
    if (forgotten) change(forgotten.key, { phase: "stopped", job: null });
  }
  function setAway() {
    transfers.value = transfers.value.map((one) => (one.phase === "working" ? { ...one, away: true } : one));
  }

  return {
    /** Add these files behind those that wait. */
    add(files) {
      transfers.value = [...transfers.value, ...files.map((file) => createTransfer(createId(), file, store.into.value))];
      pump();
    },
    /** Break it off; what the server has of it goes away. */
    async cancel(key) {
      const { phase, job } = find(key);
      if (phase === "sending") sending.get(key)?.abort();
      else if (phase === "waiting") change(key, { phase: "stopped" });
      else if (job) await cancelJob(job.id).then(take, setAway);
      onDocuments();
    },
    /** Try it again: the server's work when it has the file, else the file. */
    async retry(key) {
      const transfer = find(key);
      if (!canRetry(transfer)) return;
      try {
        if (transfer.job) return take(await retryJob(transfer.job.id));
      } catch {
        if (!transfer.file) return change(key, { phase: "failed", kind: "gone" });
      }
      change(key, { phase: "waiting", job: null });
      pump();
    },
    /** Forget about those that are over: the one with `key`, or all that did not fail. */
    dismiss(key) {
      const goes = (one) => (key ? one.key === key : one.phase !== "failed");
      const gone = transfers.value.filter((one) => goes(one) && !isActive(one));
      rememberDismissed(gone.map(({ job }) => job?.id).filter(Boolean));
      transfers.value = transfers.value.filter((one) => !gone.includes(one));
    },
    /** Look what the server works on, so that a reload, or another tab, shows it, too. Rejects when it does not answer. */
    resume,
  };
}

function findNext(jobs) {
  return jobs.find(({ state }) => state === "running") ?? jobs[0];
}

function readDismissed() {
  return (recall(DISMISSED) ?? "").split(" ");
}

function rememberDismissed(ids) {
  if (ids.length) remember(DISMISSED, [...readDismissed(), ...ids].slice(-MAX_DISMISSED).join(" "));
}
