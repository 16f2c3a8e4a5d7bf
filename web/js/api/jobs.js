/** The server's work on documents that were added: asked for, followed, cancelled, begun again. */

import { isFinal } from "../transfers.js";
import { readChunks, splitLines } from "./ndjson.js";
import { request } from "./requests.js";

const RETRY_MS = [500, 1000, 2000, 5000];

/** GET /jobs → {jobs: the unfinished and the recent ones, oldest first; limits: {file_bytes}}. */
export function listJobs() {
  return ask("/jobs");
}

/** DELETE /jobs/{id} → Job. Rejects when there is no such job. */
export function cancelJob(id) {
  return ask(address(id), "DELETE");
}

/** POST /jobs/{id}/retry → Job. */
export function retryJob(id) {
  return ask(`${address(id)}/retry`, "POST");
}

/**
 * Yield the job at each change until it is over; null each time that the server does not answer, after which it is
 * asked again. Ends without a word when the server knows no such job.
 * @param {number[]} waits milliseconds before each attempt after the first; the last one is repeated
 */
export async function* followJob(id, waits = RETRY_MS) {
  for (let failed = 0; ; failed += 1) {
    try {
      const response = await request(address(id));
      if (response.status === 404) return;
      if (!response.ok) throw new TypeError(`${response.status}`);
      for await (const line of splitLines(readChunks(response.body))) {
        const job = JSON.parse(line);
        failed = 0;
        yield job;
        if (isFinal(job.state)) return;
      }
    } catch (error) {
      // A broken connection is a TypeError; half a line of JSON a SyntaxError.
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      yield null;
    }
    await new Promise((resolve) => setTimeout(resolve, waits[Math.min(failed, waits.length - 1)]));
  }
}

const address = (id) => `/jobs/${encodeURIComponent(id)}`;

async function ask(path, method = "GET") {
  const response = await request(path, { method });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.json();
}
