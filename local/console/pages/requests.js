const POLL_MS = 1000;
const SEARCH_MS = 150; // between the last key and the search

const at = (id) => document.getElementById(id);
const rows = new Map(); // table rows by trace id, oldest first
const beside = matchMedia("(min-width: 1100px)"); // true: details beside the list; false: below
let sequence = 0;
let total = 0;
let search = 0; // the number of the search whose answers are still wanted
let shown = null; // the trace whose details are requested
let drawn = ""; // the details that are on the page: drawing them again would close what is open
let paused = false;
let typing;

/** Return an element; text is text, whatever it holds. */
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

const array = (value) => (Array.isArray(value) ? value : []); // segments may contain anything
const time = (seconds) => (seconds ? new Date(seconds * 1000).toTimeString().slice(0, 8) : "");
const milliseconds = (value) => (value == null ? "" : value.toFixed(1));

async function json(url, options) {
  const response = await fetch(url, options);
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error);
  }
  return answer;
}

// --- the list ---------------------------------------------------------------------------------

async function poll() {
  if (!paused) {
    await refresh();
  }
  setTimeout(poll, POLL_MS);
}

async function refresh() {
  const current = search;
  const query = new URLSearchParams({ since: sequence, q: at("filter").value });
  try {
    const answer = await json(`/requests?${query}`);
    if (current === search) {
      update(answer);
    }
  } catch (error) {
    say(`The console does not respond (${error.message}): is it running?`, true);
  }
}

function update({ first, sequence: last, requests, oldest, evicted, dropped, api_failure, ...counts }) {
  if (sequence < first) {
    forget(); // the rows are from an earlier console
  }
  ({ total } = counts);
  sequence = last;
  requests.reverse().forEach(put);
  evict(oldest);
  if (requests.length && at("order").value) {
    sort();
  }
  tell(dropped, evicted);
  fail(api_failure);
  reachable();
  if (requests.some(({ trace_id }) => trace_id === shown)) {
    open();
  }
}

function forget() {
  rows.clear();
  at("requests").replaceChildren();
}

function evict(oldest) {
  for (const [id, row] of rows) {
    if (row.dataset.number < oldest) {
      row.remove();
      rows.delete(id);
    }
  }
}

function sort() {
  const newest = [...rows.values()].reverse();
  const slower = (a, b) => b.dataset.duration - a.dataset.duration;
  at("requests").append(...(at("order").value ? newest.sort(slower) : newest));
}

const count = (number) => number.toLocaleString("en");

function counted() {
  const isSearch = at("filter").value.trim();
  return `${isSearch ? `${count(rows.size)} of ` : ""}${count(total)} requests`;
}

function tell({ lost, refused, full }, { count: evicted, until }) {
  const troubles = [
    lost && `${lost} segments came too fast and are lost`,
    refused && `${refused} datagrams were no segments`,
    full && `${full} segments were too much for their trace`,
  ].filter(Boolean);
  say([paused ? "paused" : counted(), ...troubles].join("; "), false);
  at("empty").hidden = total > 0;
  at("table").hidden = rows.size === 0;
  at("none").hidden = rows.size > 0 || total === 0;
  at("evicted").hidden = !evicted;
  at("evicted").textContent =
    `${count(evicted)} older requests, until ${time(until)}, were evicted: ` +
    "the console stores the last 2,000, and fewer if they are large.";
}

/** Show why the API does not start, such as a syntax error with its line. */
function fail(text) {
  at("failure").hidden = !text;
  if (at("failure-text").textContent !== (text ?? "")) {
    at("failure-text").textContent = text ?? "";
  }
}

function say(text, isTrouble) {
  if (at("state").textContent !== text) {
    at("state").textContent = text;
  }
  at("state").classList.toggle("trouble", isTrouble);
}

function put(request) {
  let row = rows.get(request.trace_id);
  if (!row) {
    row = element("tr");
    row.dataset.id = request.trace_id;
    rows.set(request.trace_id, row);
    at("requests").prepend(row);
  }
  fill(row, request);
}

function fill(row, { trace_id, number, start, method, status, duration_ms, statements, ...more }) {
  const texts = [
    time(start), method ?? "…", path(more), status ?? "", milliseconds(duration_ms), statements,
  ];
  if (!row.cells.length) {
    texts.forEach((_, i) => row.append(element("td", "", i > 3 ? "number" : "")));
    const link = element("a");
    link.href = `#${trace_id}`;
    link.tabIndex = -1;
    row.cells[2].append(link);
  }
  texts.forEach((text, i) => ((i === 2 ? link(row) : row.cells[i]).textContent = text));
  row.cells[3].dataset.class = String(status ?? "").charAt(0);
  row.dataset.number = number;
  row.dataset.duration = duration_ms ?? -1;
}

/** Return the path and query, which is known of the laptop's own requests, or what is known. */
const path = ({ target, path: masked, operation }) => target ?? masked ?? operation ?? "…";

const link = (row) => row.cells[2].firstChild;

function focus(row) {
  if (row) {
    at("requests").querySelectorAll("a[tabindex='0']").forEach((each) => (each.tabIndex = -1));
    link(row).tabIndex = 0;
    link(row).focus();
  }
}

/** Return the row that a key leads to from another. */
function target(key, row) {
  const visible = [...at("requests").rows];
  const index = visible.indexOf(row);
  const steps = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: visible.length - 1 };
  return visible[steps[key]];
}

at("requests").addEventListener("keydown", (event) => {
  const next = target(event.key, event.target.closest("tr"));
  if (next) {
    event.preventDefault();
    focus(next);
  }
});
at("requests").addEventListener("click", ({ target: clicked }) => {
  location.hash = clicked.closest("tr").dataset.id;
});
at("filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(find, SEARCH_MS);
});
at("order").addEventListener("change", () => {
  remember();
  sort();
});
at("clear").addEventListener("click", () => {
  at("filter").value = "";
  at("filter").focus();
  find();
});
at("filter").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    event.preventDefault();
    focus(target("Home"));
  }
});
at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").ariaPressed = String(paused);
  say(paused ? "paused" : counted(), false);
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && shown) {
    const row = rows.get(shown);
    location.hash = "";
    focus(row);
  }
});

/** Search again, from the first request, and keep the search in the page's address. */
async function find() {
  search += 1;
  sequence = 0;
  remember();
  forget();
  await refresh();
}

function remember() {
  const chosen = { q: at("filter").value, order: at("order").value };
  const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
}

function recall() {
  const query = new URLSearchParams(location.search);
  at("filter").value = query.get("q") ?? "";
  at("order").value = query.get("order") === "slowest" ? "slowest" : "";
}

/** Keep one row in the order of Tab. */
function reachable() {
  const current = at("requests").querySelector("a[tabindex='0']");
  const first = at("requests").querySelector("a");
  if (!current && first) {
    first.tabIndex = 0;
  }
}

// --- the details ------------------------------------------------------------------------------

async function open() {
  const id = decodeURIComponent(location.hash.slice(1));
  const isNew = id !== shown;
  shown = id;
  rows.forEach((row) => row.removeAttribute("aria-current"));
  rows.get(id)?.setAttribute("aria-current", "true");
  if (!id) {
    at("details").hidden = true;
    return;
  }
  try {
    const details = await json(`/requests/${encodeURIComponent(id)}`);
    const text = JSON.stringify(details);
    if (id === shown && text !== drawn) {
      show(id, details);
      drawn = text;
    }
  } catch (error) {
    absent(error.message);
  }
  at("details").hidden = false;
  if (isNew) {
    at("details").focus({ preventScroll: beside.matches });
  }
}

function absent(message) {
  drawn = "";
  for (const id of ["problem", "facts", "waterfall", "statements", "exchanges", "lines", "metrics"]) {
    at(id).replaceChildren();
  }
  at("title").textContent = message;
}

function show(id, { request, request_id, segments, exchanges, lines, metrics, has_plans }) {
  const { method, operation, status, duration_ms } = request;
  at("title").textContent = [method, path(request), status].filter(Boolean).join(" ");
  at("problem").replaceChildren(...exchanges.flatMap(problem), ...lines.flatMap(traceback));
  at("facts").replaceChildren(
    fact("Operation", operation), fact("Duration", `${milliseconds(duration_ms)} ms`),
    fact("Caller", lines.find(({ caller }) => caller)?.caller),
    fact("Request id", request_id), fact("Trace id", id),
  );
  const end = Math.max(...segments.map((each) => each.start_ms + (each.duration_ms ?? 0)));
  at("waterfall").replaceChildren(...segments.map((each) => lane(each, end || 1)));
  const statements = segments.filter((each) => each.sql !== null);
  const kept = plans(id);
  at("statements").replaceChildren(...statements.map((each) => statement(id, each, has_plans, kept)));
  fillOr("statements", "This request had no statements.");
  at("exchanges").replaceChildren(...exchanges.flatMap(exchange));
  fillOr("exchanges", "The console received none: it shows those of the laptop's own requests.");
  at("lines").replaceChildren(...lines.map(line));
  fillOr("lines", "The API's log has no lines for this request, or was restarted since.");
  at("metrics").replaceChildren(...metrics.map(metric));
}

/** Return the plans that are shown by their segments' ids: new details must not take them away. */
function plans(id) {
  const shownPlans = at("statements").querySelectorAll(`[data-plan^="${CSS.escape(id)} "]`);
  return new Map([...shownPlans].map((each) => [each.dataset.plan.split(" ")[1], each]));
}

function fillOr(id, text) {
  if (!at(id).childElementCount) {
    at(id).append(element("p", text, "quiet"));
  }
}

function fact(name, value) {
  const pair = element("div");
  pair.append(element("dt", name), element("dd", value ?? "unknown"));
  return pair;
}

/** Return what a client was told, if the response is a problem. */
function problem({ response }) {
  const told = parsed(response.body);
  if (typeof told?.type !== "string" || !told.status) {
    return [];
  }
  const block = element("section", "", told.status >= 500 ? "problem fault" : "problem");
  block.append(element("h3", `${told.status} ${told.title}`), element("p", told.detail));
  const list = element("ul");
  list.append(...array(told.errors).map(inputError));
  if (list.childElementCount) {
    block.append(list);
  }
  block.append(element("p", told.type.replace("/problems#", "Type: "), "quiet"));
  return [block];
}

function inputError({ pointer, parameter, header, code, detail }) {
  const item = element("li");
  item.append(element("code", pointer ?? parameter ?? header), ` ${detail} (${code})`);
  return item;
}

function traceback({ traceback: text }) {
  return text ? [element("pre", text, "trouble")] : [];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function exchange({ target, request, response }) {
  return [message("Request", request, target), message("Response", response)];
}

function message(name, { headers, body, length }, target) {
  const block = element("details");
  block.open = length > 0;
  block.append(element("summary", `${name}: ${headers.length} headers, ${count(length)} characters`));
  const lines = headers.map((pair) => array(pair).join(": "));
  block.append(element("pre", [...(target ? [target] : []), ...lines].join("\n"), "headers"));
  if (length) {
    const content = parsed(body);
    block.append(element("pre", content ? JSON.stringify(content, null, 2) : body, "body"));
  }
  if (body.length < length) {
    block.append(element("p", `The first ${count(body.length)} characters.`, "quiet"));
  }
  return block;
}

function lane({ name, depth, start_ms, duration_ms, mark }, end) {
  const item = element("li");
  const label = element("span", name, "name");
  label.style.paddingLeft = `${Math.min(depth, 10)}em`;
  label.title = name;
  const bar = element("span", "", mark === "fault" ? "bar-of-time bad" : "bar-of-time");
  bar.style.left = `${(100 * start_ms) / end}%`;
  bar.style.width = `${(100 * (duration_ms ?? 0)) / end}%`;
  const track = element("span", "", "lane");
  track.append(bar);
  item.append(label, track, element("span", took(duration_ms, mark), "number"));
  return item;
}

function took(duration_ms, mark) {
  const text = duration_ms === null ? "goes on" : `${milliseconds(duration_ms)} ms`;
  return mark && mark !== "error" ? `${mark}, ${text}` : text; // an error is the client's
}

function statement(id, { id: segment, name, formatted, duration_ms, mark, metadata, cause }, hasPlans, kept) {
  const block = element("article");
  const said = metadata?.default ?? {};
  const about = Object.entries(said).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  block.append(element("p", [`${name}: ${took(duration_ms, mark)}`, ...about].join(", ")));
  block.append(element("pre", formatted));
  block.append(...array(cause?.exceptions).map((exception) => thrown(exception, mark)));
  if (hasPlans) {
    block.append(...planned(id, segment, name, kept.get(segment)));
  }
  return block;
}

/** Return an exception with its calls; a duplicate key is an expected result. */
function thrown({ type, message: text, stack }, mark) {
  const block = element("details");
  block.append(element("summary", [type, text].filter(Boolean).join(": "), mark === "fault" ? "trouble" : ""));
  const calls = array(stack).map(({ path: file, line: number, label }) => `${file}:${number} ${label}`);
  block.append(element("pre", calls.join("\n")));
  return block;
}

function planned(id, segment, name, known) {
  const place = known ?? element("div", "", "plan");
  place.dataset.plan = `${id} ${segment}`;
  place.setAttribute("role", "status");
  const button = element("button", "Explain");
  button.type = "button";
  button.ariaLabel = `Explain ${name}`;
  button.addEventListener("click", () => explain(id, segment, place));
  return [button, place];
}

async function explain(id, segment, place) {
  try {
    const query = new URLSearchParams({ segment });
    const plan = await json(`/requests/${encodeURIComponent(id)}/plan?${query}`, { method: "POST" });
    place.replaceChildren(steps(plan));
  } catch (error) {
    place.replaceChildren(element("p", error.message, "trouble"));
  }
}

/** Return a plan with one list for each step: a table would be wider than the page. */
function steps({ columns, rows: found }) {
  const list = element("ol");
  list.append(...found.map((values) => {
    const item = element("li");
    const facts = element("dl");
    facts.append(...columns.map((column, i) => [column, values[i]]).filter(([, value]) => value)
      .map(([column, value]) => fact(column, value)));
    item.append(facts);
    return item;
  }));
  return list;
}

function tableRow(cell, texts) {
  const row = element("tr");
  row.append(...texts.map((text) => element(cell, text)));
  return row;
}

function line(said) {
  const block = element("details");
  const { timestamp, level, message } = said;
  block.append(element("summary", `${timestamp} ${level} ${message}`));
  block.append(element("pre", JSON.stringify(said, null, 2)));
  return block;
}

function metric({ name, unit, value }) {
  const row = tableRow("td", [name, String(value), unit]);
  row.cells[1].className = "number";
  return row;
}

window.addEventListener("hashchange", open);
recall();
poll();
open();
