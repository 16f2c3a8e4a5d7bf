/* Shows /openapi.json to people. Text reaches the page as text only. */

const REF = "#/components/schemas/";
const MOST = 6;

function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const code = (text) => make("code", { textContent: text });

/* A schema in a few words: "string", "list of Source", "integer, 1 to 50". */
function nameType(schema) {
  if (schema.$ref) return schema.$ref.replace(REF, "");
  if (schema.anyOf) return schema.anyOf.map(nameType).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${nameType(schema.items ?? schema.prefixItems?.[0] ?? {})}`;
  return (schema.format === "binary" ? "file" : schema.type ?? "anything") + nameBounds(schema);
}

function nameBounds(schema) {
  const bounds = [];
  if (schema.minimum !== undefined) bounds.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) bounds.push(`to ${schema.maximum}`);
  if (schema.maxLength !== undefined) bounds.push(`at most ${schema.maxLength} characters`);
  return bounds.length ? `, ${bounds.join(" ")}` : "";
}

/* The fields of a schema, those of its parts within, each part once. */
function listFields(schema, schemas, seen = []) {
  const named = schema.$ref?.replace(REF, "");
  if (named && (seen.includes(named) || seen.length > MOST)) return null;
  const whole = named ? schemas[named] : schema;
  const within = whole.items ?? whole.anyOf?.find((one) => one.$ref);
  if (!whole.properties) return within ? listFields(within, schemas, seen) : null;
  const path = named ? [...seen, named] : seen;
  const rows = Object.entries(whole.properties).map(([name, field]) => {
    const need = whole.required?.includes(name) ? ", required" : "";
    const told = make("span", { className: "soft", textContent: ` ${nameType(field)}${need}` });
    const row = make("li", {}, code(name), told);
    const inner = listFields(field, schemas, path);
    if (inner) row.append(inner);
    return row;
  });
  return make("ul", {}, ...rows);
}

function describeContent(content, schemas) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => {
    const fields = listFields(schema, schemas);
    return [make("p", {}, code(type), ` ${schema.$ref ? nameType(schema) : ""}`), ...(fields ? [fields] : [])];
  });
}

function describeParameters(parameters) {
  if (!parameters?.length) return [];
  const rows = parameters.map((one) =>
    make("li", {}, code(one.name), ` ${one.in}, ${nameType(one.schema)}. ${one.description}`),
  );
  return [make("h3", { textContent: "Parameters" }), make("ul", {}, ...rows)];
}

function describeReply([status, reply], schemas) {
  const fine = Number(status) < 400;
  const row = make("li", {}, code(status), ` ${reply.description}`);
  if (fine) row.append(...describeContent(reply.content, schemas));
  return row;
}

function describe(method, path, operation, schemas) {
  const title = make("summary", {}, make("span", { className: "method", textContent: method }), code(path));
  title.append(make("span", { className: "what", textContent: operation.summary }));
  const body = make("div", {}, ...describeParameters(operation.parameters));
  if (operation.requestBody) {
    body.append(make("h3", { textContent: "Takes" }), ...describeContent(operation.requestBody.content, schemas));
  }
  const replies = Object.entries(operation.responses).map((entry) => describeReply(entry, schemas));
  body.append(make("h3", { textContent: "Answers" }), make("ul", {}, ...replies));
  return make("details", { id: operation.operationId }, title, body);
}

function describeGroup(name, document_) {
  const found = Object.entries(document_.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags.includes(name))
      .map(([method, operation]) => describe(method, path, operation, document_.components.schemas)),
  );
  return make("section", {}, make("h2", { textContent: name }), ...found);
}

const place = document.getElementById("operations");
try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(String(answer.status));
  const told = await answer.json();
  place.append(...told.tags.map(({ name }) => describeGroup(name, told)));
} catch {
  place.append(make("p", { textContent: "The description could not be fetched. Load the page again." }));
} finally {
  place.ariaBusy = "false";
}
