// Asks with fetch (Node 18 and newer, or a page of the server's own): streams the answer, then says where each number leads.
//   node examples/ask.mjs "How do I add a PDF?"
// ACERVO_URL names another server, ACERVO_KEY a key for one with users.
const url = process.env.ACERVO_URL ?? "http://localhost:8000";
const key = process.env.ACERVO_KEY;

const response = await fetch(`${url}/`, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) },
  body: JSON.stringify({ prompt: process.argv[2] }),
});
if (!response.ok) throw new Error((await response.json()).error);

let rest = "";
let sources = [];
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n"); // one JSON object a line; the last piece may be half of one
  rest = lines.pop();
  for (const part of lines) show(JSON.parse(part));
}

function show(part) {
  if (part.error) throw new Error(part.error);
  sources = part.sources ?? sources;
  process.stdout.write(part.message.content);
  if (!part.done) return;
  const places = part.citations.map((n) => `[${n}] ${sources[n - 1].name}, ${sources[n - 1].unit} ${sources[n - 1].page}`);
  console.log(["\n", ...places].join("\n"));
}
