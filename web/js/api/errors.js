/**
 * What can keep an answer from arriving whole. `kind` chooses what the page says:
 *
 *   gone        nothing answers at the server's address
 *   lost        the connection broke while the server answered
 *   refused     the server answered with an error status
 *   broken      the server began to answer and then said what failed
 *   unsent      the person does not want anything sent to that model
 *   incomplete  the stream ended, or became unreadable, without its last line
 *
 * `part` names what failed behind the server where that says so: "model", or "".
 */
export class AnswerError extends Error {
  /** @param {"gone" | "lost" | "refused" | "broken" | "unsent" | "incomplete"} kind */
  constructor(kind, message = "", status = 0, part = "") {
    super(message);
    this.name = "AnswerError";
    this.kind = kind;
    this.status = status;
    this.part = part;
  }
}
