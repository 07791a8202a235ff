/** What the modules of our pages share: elements, times and requests to the console. */

export const at = (id) => document.getElementById(id);

/** Return an element with properties and attributes, such as `class`, and children. Text is text, whatever it holds. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

/** Return a button that does something. */
export function button(text, action, properties = {}) {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", action);
  return made;
}

/** Return a row of a table. A cell is a text, an element, or `[content, class]`. */
export function row(...cells) {
  const made = element("tr");
  for (const cell of cells) {
    const [content, name] = Array.isArray(cell) ? cell : [cell];
    made.append(element("td", { class: name }, content ?? ""));
  }
  return made;
}

/** Return a name and a value for a list of facts. A long value has the whole line. */
export function fact(name, value, isLong = false) {
  return element("div", { class: isLong && "whole" }, element("dt", {}, name), element("dd", {}, value ?? "unknown"));
}

/** Return a path, an email address or names, which lines may break at their punctuation, not inside words. */
export function breakable(text) {
  const parts = text.split(/(?=[/?&@._])|(?<=,)/);
  return element("span", {}, ...parts.flatMap((part, i) => (i ? [element("wbr"), part] : [part])));
}

/** Return a function that names a caller. The API keeps pseudonyms; the console knows the callers whom it saw. */
export async function callerNames() {
  const names = await json("/callers");
  return (pseudonym) => names[pseudonym] ?? `caller ${pseudonym}`;
}

/** Return the badge of a status of HTTP. */
export function statusBadge(status) {
  const kind = status >= 500 ? "bad" : status >= 400 ? "fair" : "good";
  return element("span", { class: `badge ${kind}` }, String(status ?? ""));
}

/** Return a time in the time zone of the reader; its title is the exact one. */
export function moment(iso) {
  if (!iso) return "";
  const text = new Date(iso).toLocaleString("sv-SE"); // 2026-01-31 12:00:00
  return element("time", { datetime: iso, title: iso, class: "when" }, text);
}

export async function json(url, options) {
  const response = await fetch(url, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `${response.status} of ${url}`);
  return body;
}

/** Set the text of a status line, unless it has it: a screen reader reads each change. */
export function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

/** Return the id that the page's address names, or nothing. The link that skips the header names no id. */
export const chosen = () => (location.hash === "#content" ? "" : decodeURIComponent(location.hash.slice(1)));

/** Show the details of an item beside the list or, on narrow screens, instead of the list; or hide them. */
export function showDetails(isOpen) {
  at("details").hidden = !isOpen;
  document.querySelector("main").classList.toggle("open", isOpen);
}

/** Move the focus to the details. Beside the list, the page does not scroll. */
export function focusDetails() {
  at("details").focus({ preventScroll: matchMedia("(min-width: 1100px)").matches });
}
