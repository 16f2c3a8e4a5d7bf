/** Bytes → objects: newline-delimited JSON, whatever the split of the bytes. */

/**
 * Split at line feeds only (U+2028 is an ordinary character inside JSON).
 * A last line without its line feed counts; blank lines do not.
 * @param {AsyncIterable<Uint8Array>} chunks
 */
export async function* splitLines(chunks) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.trim()) yield line;
  }
  rest += decoder.decode();
  if (rest.trim()) yield rest;
}

/** The chunks of a ReadableStream. Not every browser can iterate over one; leaving early cancels it. */
export async function* readChunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After an error the stream is already closed, and cancelling it would only repeat that error.
    await reader.cancel().catch(() => undefined);
  }
}
