/** POST /feedback: what a person thinks of an answer. */

import { request } from "./requests.js";

/**
 * Send the rating of a turn in the place of an earlier one; resolves to its id, rejects when it was not taken.
 * @param {"up" | "down" | ""} rating "" takes it back
 */
export async function sendFeedback(turn, rating, note) {
  const { text, query, model, sources, summary } = turn.answer.value;
  const response = await request("/feedback", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      ...(turn.feedback.value?.id && { id: turn.feedback.value.id }),
      rating,
      note,
      question: turn.question,
      query,
      answer: text,
      model,
      sources: sources.map(({ document, page, chunk_id, n }) => ({ document, page, chunk_id, n })),
      citations: summary?.citations ?? [],
    }),
  });
  if (!response.ok) throw new Error(`POST /feedback: ${response.status}`);
  return (await response.json()).id;
}
