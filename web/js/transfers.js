/**
 * What becomes of a file that a person adds, from its first byte to its last vector. Pure.
 *
 * A transfer is `{key, file, collection, name, size, phase, sent, job, kind, detail, away}`:
 *   file    the File, or {name, size, url} of a web page, {name, size, unread} of what the browser cannot read, null for one
 *           that another page, or this one before a reload, has sent
 *   phase   waiting | sending | working | done | failed | stopped
 *   sent    0 to 1
 *   job     what the server last said of its work, null before it took the file
 *   kind    why it failed; `detail` is the server's own sentence
 *   away    the server does not answer while it works on it
 */

/** Kind of a failure → what is said, and whether another attempt could end differently. */
const FAILURES = {
  too_large: ["refusal.tooLarge", false],
  wrong_format: ["refusal.wrongFormat", false],
  empty: ["refusal.empty", false],
  unread: ["refusal.unread", false],
  encrypted: ["refusal.encrypted", false],
  damaged: ["refusal.damaged", false],
  no_text: ["refusal.noText", false],
  too_slow: ["refusal.tooSlow", true],
  gone: ["refusal.gone", true],
  unreadable: ["refusal.unreadable", true],
  address: ["refusal.address", false],
  unreachable: ["refusal.address", true],
};
const OTHER_FAILURE = ["refusal.failed", true];

/** Parts of the whole way: the bytes, the plain text, the pages' layout; the vectors are the rest. */
const WAY = { received: 0.1, text: 0.2, layout: 0.7 };

/** A file that was dropped or picked. */
export function createTransfer(key, file, collection = "") {
  const { name, size } = file;
  const state = { phase: "waiting", sent: 0, job: null, kind: "", detail: "", away: false };
  return { key, file, collection, name, size, ...state };
}

/** A job of the server that this page did not begin. */
export function fromJob(job) {
  return withJob({ ...createTransfer(job.id, job), file: null, sent: 1 }, job);
}

/** The transfer after the server said how its job is. */
export function withJob(transfer, job) {
  const phase = { done: "done", failed: "failed", cancelled: "stopped" }[job.state] ?? "working";
  return { ...transfer, job, phase, sent: 1, kind: job.kind ?? "", detail: job.error ?? "", away: false };
}

/**
 * The transfers after the server listed its jobs. One that nobody here knows is added while it is unfinished or has
 * failed, unless its id is in `dismissed`.
 */
export function mergeJobs(transfers, jobs, dismissed = []) {
  const known = new Map(jobs.map((job) => [job.id, job]));
  const merged = transfers.map((transfer) => {
    const job = known.get(transfer.job?.id);
    known.delete(transfer.job?.id);
    return job ? withJob(transfer, job) : transfer;
  });
  const fresh = [...known.values()].filter(
    ({ id, state }) => !isFinal(state) || (state === "failed" && !dismissed.includes(id)),
  );
  return [...merged, ...fresh.map(fromJob)];
}

/** Whether a job with this state is over. */
export function isFinal(state) {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Whether more will come of it without anybody doing anything. */
export function isActive({ phase }) {
  return phase === "waiting" || phase === "sending" || phase === "working";
}

/** Whether it is worth offering another attempt: not for a file that will be refused again. */
export function canRetry({ phase, kind, file, job }) {
  if (!file && !job) return false;
  return phase === "stopped" || (phase === "failed" && (FAILURES[kind] ?? OTHER_FAILURE)[1]);
}

/** How far it is, 0 to 1. */
export function measure({ phase, sent, job }) {
  if (phase === "done") return 1;
  if (!job) return WAY.received * sent;
  const start = WAY[job.stage] ?? WAY.received;
  if (job.stage === "text") return start + (WAY.layout - start) * share(job.pages);
  return job.stage === "layout" ? start + (1 - start) * share(job.windows) : start;
}

/** What to say of it: [key, values] each, the most important first. */
export function describe({ phase, sent, job, kind, detail, away }) {
  switch (phase) {
    case "waiting":
      return [["transfer.waiting"]];
    case "sending":
      return [["transfer.sending", { percent: Math.round(sent * 100) }]];
    case "working":
      return [job.searchable && ["transfer.searchable"], away ? ["transfer.away"] : describeWork(job)].filter(Boolean);
    case "done":
      return [[job.duplicate ? "transfer.duplicate" : "transfer.ready"]];
    case "stopped":
      return [["transfer.stopped"]];
    default:
      return [[(FAILURES[kind] ?? OTHER_FAILURE)[0], { detail }]];
  }
}

function describeWork({ state, stage, pages, windows }) {
  if (stage === "fetching") return ["transfer.fetching"];
  if (state === "queued") return ["transfer.queued"];
  if (stage === "layout") return ["transfer.windows", windows];
  return stage === "text" ? ["transfer.pages", pages] : ["transfer.received"];
}

function share({ done, total }) {
  return total > 0 ? Math.min(1, done / total) : 0;
}
