// Forms made from interface types. `field` makes the inputs of one value: `element`, `read()`, `write(value)`.
// Values are those of JSON with 64-bit integers as strings and byte arrays as base64.

import { make } from "./common.js";

const INTEGERS = { S8: [8, true], S16: [16, true], S32: [32, true], S64: [64, true], I32: [32, true], I64: [64, true],
  U8: [8, false], U16: [16, false], U32: [32, false], U64: [64, false] };

let number = 0;

/** A value that can't be sent; the input that has it says so. */
export class BadInput extends Error {
  constructor(input, text) {
    super(text);
    this.input = input;
  }
}

export const isBytes = (type) => type === "ByteArray" || (typeof type === "object" && type.Array === "U8");

/** A type as listings show it. */
export function spell(type, records) {
  if (isBytes(type)) return "[]u8";
  if (typeof type === "object") return "Array" in type ? `[]${spell(type.Array, records)}` : records.get(type.Record).name;
  return type === "Boolean" ? "bool" : type.toLowerCase().replace(/^s(\d)/, "i$1");
}

export function field(name, type, records) {
  if (isBytes(type)) return bytesField(name);
  if (typeof type === "object") {
    return "Array" in type ? arrayField(name, type.Array, records) : recordField(name, records.get(type.Record), records);
  }
  if (type === "Boolean") return booleanField(name);
  if (type === "String") return textField(name);
  return numberField(name, type, records);
}

/** A labelled input whose complaints are read with it. */
function labelled(name, kind, input, ...more) {
  input.id = `field-${(number += 1)}`;
  const problem = make("p", { class: "problem", id: `${input.id}-problem`, hidden: true });
  input.setAttribute("aria-describedby", problem.id);
  const label = make("label", { for: input.id }, name, make("span", { class: "kind" }, kind));
  return make("div", { class: "field" }, label, input, ...more, problem);
}

export function complain(input, text) {
  const problem = document.getElementById(`${input.id}-problem`);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  if (problem) {
    problem.textContent = text;
    problem.hidden = !text;
  }
}

function checked(input, read) {
  return () => {
    try {
      const value = read();
      complain(input, "");
      return value;
    } catch (error) {
      complain(input, error.message);
      throw new BadInput(input, error.message);
    }
  };
}

function booleanField(name) {
  const input = make("input", { type: "checkbox" });
  return { element: labelled(name, "bool", input), read: () => input.checked, write: (value) => { input.checked = value; } };
}

function textField(name) {
  const input = make("textarea", { rows: 1, spellcheck: "false" });
  input.addEventListener("input", () => { input.rows = Math.min(12, input.value.split("\n").length); });
  return { element: labelled(name, "string", input), read: () => input.value, write: (value) => { input.value = value; } };
}

function numberField(name, type, records) {
  const integer = INTEGERS[type];
  const input = make("input", { inputmode: integer ? "numeric" : "decimal", autocomplete: "off", value: "0" });
  const read = checked(input, () => {
    const text = input.value.trim();
    if (!integer) {
      const value = Number(text);
      if (!text || !Number.isFinite(value)) throw new Error("a number is needed");
      return value;
    }
    if (!/^-?\d+$/.test(text)) throw new Error("a whole number is needed");
    const [bits, signed] = integer;
    const low = signed ? -(1n << BigInt(bits - 1)) : 0n;
    const high = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
    const value = BigInt(text);
    if (value < low || value > high) throw new Error(`from ${low} to ${high}`);
    return bits === 64 ? value.toString() : Number(value);
  });
  return { element: labelled(name, spell(type, records), input), read, write: (value) => { input.value = String(value); } };
}

export function toBase64(data) {
  let text = "";
  for (let start = 0; start < data.length; start += 32768) text += String.fromCharCode(...data.subarray(start, start + 32768));
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

function bytesField(name) {
  const input = make("textarea", { rows: 1, spellcheck: "false" });
  const mode = make("select", { "aria-label": `How the bytes of ${name} are written` },
    make("option", { value: "text" }, "as text"), make("option", { value: "hex" }, "as hexadecimal"),
    make("option", { value: "base64" }, "as base64"));
  const file = make("input", { type: "file", "aria-label": `A file for ${name}` });
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    mode.value = "base64";
    input.value = toBase64(new Uint8Array(await file.files[0].arrayBuffer()));
  });
  const read = checked(input, () => {
    if (mode.value === "text") return toBase64(new TextEncoder().encode(input.value));
    const text = input.value.replace(/\s/g, "");
    if (mode.value === "base64") {
      try {
        return btoa(atob(text));
      } catch {
        throw new Error("this is no base64");
      }
    }
    if (!/^([0-9a-f]{2})*$/i.test(text)) throw new Error("pairs of hexadecimal digits are needed");
    return toBase64(Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
  });
  const write = (value) => { mode.value = "base64"; input.value = value; };
  return { element: labelled(name, "[]u8", input, make("div", { class: "bytes" }, mode, file)), read, write };
}

function arrayField(name, element, records) {
  const items = [];
  const list = make("div");
  const count = make("span", { class: "kind" });
  const show = () => { count.textContent = `${spell({ Array: element }, records)}, ${items.length} ${items.length === 1 ? "item" : "items"}`; };
  const add = (value) => {
    const item = field(`${name}[${items.length}]`, element, records);
    const row = make("div", { class: "item" }, item.element);
    item.row = row;
    row.append(make("button", { type: "button", "aria-label": `Remove ${name}[${items.length}]`, onclick: () => {
      items.splice(items.indexOf(item), 1);
      row.remove();
      more.focus();
      show();
    } }, "Remove"));
    if (value !== undefined) item.write(value);
    items.push(item);
    list.append(row);
    show();
    return item;
  };
  const more = make("button", { type: "button", onclick: () => {
    add().row.querySelector("input, textarea, button")?.focus();
  } }, `Add to ${name}`);
  show();
  const box = make("fieldset", {}, make("legend", {}, name, count), list, more);
  const write = (values) => {
    items.length = 0;
    list.replaceChildren();
    values.forEach(add);
    show();
  };
  return { element: box, read: () => items.map((item) => item.read()), write };
}

function recordField(name, record, records) {
  const parts = record.fields.map((part) => [part.name, field(part.name, part.type, records)]);
  const legend = make("legend", {}, name, make("span", { class: "kind" }, record.name));
  const box = make("fieldset", {}, legend, ...parts.map(([, part]) => part.element));
  return {
    element: box,
    read: () => parts.map(([, part]) => part.read()), // by position: two fields may have one name
    write: (values) => { parts.forEach(([key, part], at) => part.write(Array.isArray(values) ? values[at] : values[key])); },
  };
}
