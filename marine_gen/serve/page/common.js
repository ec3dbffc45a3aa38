// What both pages share: elements, requests with the token, messages. Texts only ever become text nodes.

/** An element with attributes and children; strings are text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const find = (id) => document.getElementById(id);

let asking = null;

/** Ask for the token, once however many requests need it. */
function login() {
  asking ??= new Promise((resolve) => {
    const dialog = find("login");
    find("login-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("token", find("token").value);
      find("token").value = "";
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.showModal();
  });
  return asking;
}

/** A request to the server below this page; asks for a token when one is missing. */
export async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem("token");
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, { cache: "no-store", ...options, headers });
    if (response.status !== 401) return response;
    await login();
  }
}

/** A JSON document of the server. */
export async function read(path) {
  const response = await request(path);
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.json();
}

/** A word of a shell command. */
export const shell = (text) => (/^[\w@%+=:,.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The beginning of a command that sends a request, with the token that the server asked for, if it did. */
export function curl(url, ...options) {
  const token = sessionStorage.getItem("token") ? ['-H "Authorization: Bearer $MARINE_GEN_TOKEN"'] : [];
  return [`curl ${shell(String(url))}`, ...token, ...options].join(" \\\n  ");
}

/** A message in the head of the page. */
export function say(text, bad = false) {
  const state = find("state");
  state.textContent = text;
  state.className = bad ? "bad" : "";
}

export function milliseconds(seconds) {
  const value = seconds * 1000;
  return value < 10 ? `${value.toFixed(2)} ms` : value < 1000 ? `${value.toFixed(0)} ms` : `${seconds.toFixed(2)} s`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  return size < 1048576 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1048576).toFixed(1)} MiB`;
}
