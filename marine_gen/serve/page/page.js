// The page: functions, their forms, calls, results, history, figures, the graph.

import { bytes, curl, find, make, milliseconds, read, request, say, shell } from "./common.js";
import { BadInput, field, fromBase64, isBytes, spell } from "./forms.js";

const FORM = "application/json; bytes=base64; int64=string";
const KEPT = 50;

const functions = new Map();
const history = [];
let current = null;
let running = null;

const pathOf = (item) => `${encodeURIComponent(item.module)}/${encodeURIComponent(item.name)}`;
const keyOf = (item) => JSON.stringify([item.module, item.name]);

function list(document_) {
  find("title").textContent = document_.service;
  document.title = document_.service;
  const modules = find("modules");
  modules.replaceChildren();
  for (const module of document_.modules) {
    const records = new Map(module.records.map((record) => [record.id, record]));
    const items = module.functions.map((item) => {
      const entry = { ...item, module: module.name, records };
      entry.button = make("button", { type: "button", onclick: () => choose(entry, true) }, item.name);
      functions.set(keyOf(entry), entry);
      return make("li", {}, entry.button);
    });
    modules.append(make("div", { class: "module" }, make("h3", {}, module.name), make("ul", {}, ...items)));
  }
}

function filter() {
  const wanted = find("filter").value.toLowerCase();
  for (const item of functions.values()) {
    item.button.parentElement.hidden = !`${item.module}.${item.name}`.toLowerCase().includes(wanted);
  }
  for (const module of document.querySelectorAll(".module")) {
    module.hidden = !module.querySelector("li:not([hidden])");
  }
}

function choose(item, focus) {
  if (current) current.button.removeAttribute("aria-current");
  current = item;
  item.button.setAttribute("aria-current", "true");
  find("name").textContent = `${item.module}.${item.name}`;
  find("signature").textContent = item.signature;
  item.fields ??= item.params.map((param) => field(param.name, param.type, item.records));
  find("fields").replaceChildren(...item.fields.map((part) => part.element));
  find("form").hidden = false;
  location.hash = pathOf(item);
  if (focus) (find("fields").querySelector("input, textarea, button") ?? find("send")).focus();
}

async function call(event) {
  event?.preventDefault();
  if (!current || running) return;
  const item = current;
  let args;
  try {
    args = item.fields.map((part) => part.read());
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    error.input.focus();
    return;
  }
  const headers = { "Content-Type": FORM, Accept: FORM };
  const limit = find("timeout").value.trim();
  if (limit) headers["X-Marine-Timeout"] = limit;
  running = new AbortController();
  find("send").disabled = true;
  find("stop").disabled = false;
  const body = JSON.stringify(args);
  const start = performance.now();
  let outcome;
  try {
    const response = await request(pathOf(item), { method: "POST", headers, body, signal: running.signal });
    outcome = { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    const text = error.name === "AbortError" ? "stopped" : `no answer: ${error.message}`;
    outcome = { ok: false, status: 0, text: JSON.stringify({ title: text }) };
  }
  outcome.seconds = (performance.now() - start) / 1000;
  running = null;
  find("send").disabled = false;
  find("stop").disabled = true;
  show(item, args, body, outcome);
  remember(item, args, outcome);
  find("outcome").scrollIntoView({ block: "nearest" });
  figures().catch(() => {}); // `watch` says when the server does not answer
}

function show(item, args, body, outcome) {
  find("outcome").hidden = false;
  const summary = find("summary");
  const extra = find("extra");
  extra.replaceChildren();
  let value;
  try {
    value = JSON.parse(outcome.text);
  } catch {
    value = { title: outcome.text };
  }
  if (outcome.ok) {
    summary.className = "good";
    summary.textContent = `OK, ${milliseconds(outcome.seconds)}`;
    find("result").textContent = JSON.stringify(value, null, 2);
    if (item.results.length === 1 && isBytes(item.results[0])) showBytes(value, extra);
  } else {
    summary.className = "bad";
    const place = value.path && value.path !== "$" ? ` at ${value.path}` : "";
    summary.textContent = `${value.title ?? "Failed"}${place}${outcome.status ? ` (${outcome.status})` : ""}, ${milliseconds(outcome.seconds)}`;
    find("result").textContent = value.detail ? [value.detail, ...(value.causes ?? [])].join("\n") : outcome.text;
  }
  find("command").textContent = curl(new URL(pathOf(item), location.href), `-H ${shell(`Content-Type: ${FORM}`)}`, `-d ${shell(body)}`);
}

function showBytes(value, extra) {
  const data = fromBase64(value);
  const link = make("a", { href: URL.createObjectURL(new Blob([data])), download: "result.bin" }, "Save");
  extra.append(`${bytes(data.length)}. `, link);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(0, 2000));
    find("result").textContent = text;
  } catch {
    // it is no text; base64 is shown
  }
}

function remember(item, args, outcome) {
  history.unshift({ item, args, outcome });
  history.length = Math.min(history.length, KEPT);
  find("no-history").hidden = true;
  find("history").replaceChildren(...history.map((entry) => {
    const text = `${entry.item.module}.${entry.item.name}(${entry.args.map((arg) => JSON.stringify(arg)).join(", ")})`;
    const mark = make("span", { class: entry.outcome.ok ? "good" : "bad" }, entry.outcome.ok ? "✓ " : "✗ ");
    const short = text.length > 160 ? `${text.slice(0, 160)}…` : text;
    return make("li", {}, make("button", { type: "button", onclick: () => {
      choose(entry.item, true);
      entry.args.forEach((arg, at) => entry.item.fields[at].write(arg));
    } }, mark, short, make("span", { class: "kind" }, milliseconds(entry.outcome.seconds))));
  }));
}

const BOUNDS = ["0.5 ms", "1 ms", "2.5 ms", "5 ms", "10 ms", "25 ms", "50 ms", "100 ms", "250 ms", "500 ms", "1 s", "2.5 s", "5 s", "10 s", "30 s", "∞"];
let last = null;

async function figures() {
  if (document.hidden) return;
  const found = await read("figures");
  const sum = (counts) => Object.values(counts).reduce((left, right) => left + right, 0);
  const calls = found.functions.reduce((total, item) => total + sum(item.codes), 0);
  const failed = found.functions.reduce((total, item) => total + sum(item.codes) - (item.codes.ok ?? 0), 0);
  const now = performance.now();
  const rate = last && now > last.now + 500 ? ((calls - last.calls) / (now - last.now)) * 1000 : last?.rate ?? 0;
  if (!last || now > last.now + 500) last = { now, calls, rate };
  const totals = [["Calls", calls], ["Per second", Math.max(0, rate).toFixed(1)], ["Failed", failed], ["Running", found.running],
    ["Waiting", found.waiting], ["Memory", bytes(sum(found.memory))], ["Instances", found.instances], ["Processes", found.processes]];
  find("totals").replaceChildren(...totals.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
  const rows = found.functions.map((item) => {
    const count = sum(item.codes);
    let left = count * 0.95;
    const at = item.buckets.findIndex((bucket) => (left -= bucket) <= 0);
    return make("tr", {}, make("th", { scope: "row" }, `${item.module}.${item.function}`), make("td", {}, String(count)),
      make("td", {}, String(count - (item.codes.ok ?? 0))), make("td", {}, milliseconds(item.seconds / count)),
      make("td", {}, BOUNDS[at] ?? ""));
  });
  find("figures").tBodies[0].replaceChildren(...rows);
  find("figures").hidden = rows.length === 0;
}

async function watch() {
  try {
    await figures();
    say("");
  } catch (error) {
    say(`The server does not answer: ${error.message}`, true);
  }
  setTimeout(watch, 2000);
}

async function draw() {
  const response = await request("graph.svg");
  if (!response.ok) return;
  const image = make("img", { alt: "The modules of the service, and the calls between them" });
  image.src = URL.createObjectURL(await response.blob());
  find("graph").replaceChildren(image);
}

async function main() {
  find("filter").addEventListener("input", filter);
  find("form").addEventListener("submit", call);
  find("stop").addEventListener("click", () => running?.abort());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) call(event);
    if (event.key === "Enter" && event.target.tagName === "TEXTAREA" && !event.shiftKey && event.target.rows === 1 && !event.ctrlKey) call(event);
  });
  try {
    list(await read("interface"));
  } catch (error) {
    say(`The service can't be read: ${error.message}`, true);
    return;
  }
  const asked = location.hash.slice(1);
  const first = [...functions.values()].find((item) => pathOf(item) === asked) ?? functions.values().next().value;
  if (first) choose(first, false);
  watch();
  draw();
}

main();
