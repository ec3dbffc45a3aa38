// The reference: every operation of the OpenAPI document, with its types and a command.

import { curl, find, make, read, say, shell } from "./common.js";

let schemas = {};

/** A schema in a line. */
function spell(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(spell).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(spell).join(" | ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(spell).join(", ")}]`;
  const kind = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type ?? "any";
  if (kind === "array") return schema.items ? `${spell(schema.items)}[]` : "[]";
  if (kind === "object" && schema.properties) {
    return `{ ${Object.entries(schema.properties).map(([name, part]) => `${name}: ${spell(part)}`).join(", ")} }`;
  }
  return schema.format ?? schema.contentEncoding ?? kind;
}

/** A value that fits a schema. */
function example(schema, depth = 0) {
  if (schema.$ref) return depth > 6 ? null : example(schemas[schema.$ref.split("/").pop()], depth + 1);
  if (schema.anyOf) return example(schema.anyOf[0], depth);
  if (schema.oneOf) return example(schema.oneOf[0], depth);
  const kind = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (kind === "object") return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, example(part, depth + 1)]));
  if (kind === "array") return schema.prefixItems ? schema.prefixItems.map((part) => example(part, depth + 1)) : depth > 6 ? [] : [example(schema.items ?? {}, depth + 1)];
  return { string: "text", integer: 1, number: 1.5, boolean: true }[kind] ?? null;
}

function contents(content) {
  return Object.entries(content ?? {}).map(([media, item]) => make("pre", { tabindex: "0" }, `${media}\n${spell(item.schema)}`));
}

function command(path, method, operation) {
  const url = new URL(path.slice(1), new URL(".", location.href));
  const body = operation.requestBody?.content?.["application/json"];
  if (body) return curl(url, "-H 'Content-Type: application/json'", `-d ${shell(JSON.stringify(example(body.schema)))}`);
  return curl(url, ...(method === "get" ? [] : [`-X ${method.toUpperCase()}`]));
}

function article(path, method, operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const found = response.$ref ? null : response;
    const text = found?.description ?? response.$ref.split("/").pop();
    return make("tr", {}, make("th", { scope: "row" }, status), make("td", {}, text));
  });
  const ok = Object.values(operation.responses)[0];
  return make("article", { id: operation.operationId }, make("h2", {}, `${method.toUpperCase()} ${path}`),
    make("p", { class: "code" }, operation.summary ?? ""),
    ...(operation.requestBody ? [make("h3", {}, "Body"), ...contents(operation.requestBody.content)] : []),
    make("h3", {}, "Response"), ...contents(ok.content),
    make("h3", {}, "As a command"), make("pre", { tabindex: "0" }, command(path, method, operation)),
    make("details", {}, make("summary", {}, "All responses"), make("table", {}, make("tbody", {}, ...rows))));
}

async function main() {
  let found;
  try {
    found = await read("openapi.json");
  } catch (error) {
    say(`The reference can't be read: ${error.message}`, true);
    return;
  }
  schemas = found.components.schemas;
  find("title").textContent = `${found.info.title}: HTTP reference`;
  document.title = find("title").textContent;
  const byTag = new Map(found.tags.map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(found.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      find("operations").append(article(path, method, operation));
      const link = make("a", { href: `#${encodeURIComponent(operation.operationId)}` }, operation.operationId.slice(operation.tags[0].length + 1));
      byTag.get(operation.tags[0]).push(make("li", {}, link));
    }
  }
  for (const [tag, links] of byTag) find("modules").append(make("h3", {}, tag), make("ul", {}, ...links));
  const records = make("article", {}, make("h2", {}, "Types"), ...Object.entries(schemas).map(([name, schema]) =>
    make("div", { id: `type-${name}` }, make("h3", {}, name), make("pre", { tabindex: "0" }, spell(schema)))));
  find("operations").append(records);
}

main();
