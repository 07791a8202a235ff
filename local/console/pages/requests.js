/** The page of requests: the list, which follows the API, and the details of one request. */

import {
  at, breakable, button, chosen, element, fact, focusDetails, json, row as tableRow, say, showDetails, statusBadge,
} from "./dom.js";

const POLL_MS = 1000;
const SEARCH_MS = 150; // between the last key and the search
const SLOW_MS = 100; // of a statement
const FEW_ROWS = 1000; // of a plan: they take less than SLOW_MS
const MAX_ERRORS = 10; // of a problem: the body, below, has all

const rows = new Map(); // table rows by trace id, oldest first
let sequence = 0;
let total = 0;
let search = 0; // the number of the search whose answers are still wanted
let shown = null; // the trace whose details are requested
let drawn = ""; // the details that are on the page: drawing them again would close what is open
let paused = false;
let typing;

const array = (value) => (Array.isArray(value) ? value : []); // segments may contain anything
const time = (seconds) => (seconds ? new Date(seconds * 1000).toTimeString().slice(0, 8) : "");
const milliseconds = (value) => (value == null ? "" : value.toFixed(1));

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
    report(`The console does not respond (${error.message}): is it running?`, true);
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
  return `${isSearch ? `${count(rows.size)} of ` : ""}${count(total)} ${total === 1 ? "request" : "requests"}`;
}

function tell({ lost, refused, full }, { count: evicted, until }) {
  const troubles = [
    lost && `${lost} segments came too fast and are lost`,
    refused && `${refused} datagrams were no segments`,
    full && `${full} segments were too much for their trace`,
  ].filter(Boolean);
  report([paused ? "paused" : counted(), ...troubles].join("; "), false);
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
  say("failure-text", text ?? "");
}

function report(text, isTrouble) {
  say("state", text);
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
  if (!row.cells.length) {
    const link = element("a", { href: `#${trace_id}`, tabIndex: -1 });
    row.append(...tableRow("", "", link, "", ["", "number"], ["", "number"]).cells);
  }
  const texts = [time(start), method ?? "…", path(more), "", milliseconds(duration_ms), statements];
  texts.forEach((text, i) => (i === 2 ? link(row).replaceChildren(breakable(text)) : (row.cells[i].textContent = text)));
  row.cells[3].append(status ? statusBadge(status) : "");
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
  report(paused ? "paused" : counted(), false);
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && shown) {
    location.hash = "";
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
  const kept = { q: at("filter").value, order: at("order").value };
  const query = new URLSearchParams(Object.entries(kept).filter(([, value]) => value));
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
  const [id, last] = [chosen(), shown];
  shown = id;
  rows.forEach((row) => row.removeAttribute("aria-current"));
  rows.get(id)?.setAttribute("aria-current", "true");
  showDetails(Boolean(id));
  if (!id) {
    focus(rows.get(last));
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
  if (id !== last) {
    focusDetails();
  }
}

function absent(message) {
  drawn = "";
  at("parts").hidden = true;
  at("title").textContent = message;
}

function show(id, { request, request_id, segments, exchanges, lines, metrics, has_plans }) {
  const { method, operation, status, duration_ms } = request;
  at("parts").hidden = false;
  at("title").replaceChildren(breakable([method, path(request), status].filter(Boolean).join(" ")));
  at("problem").replaceChildren(...exchanges.flatMap(problem), ...lines.flatMap(traceback));
  at("facts").replaceChildren(
    fact("Operation", operation ?? "none: the gateway responded"), fact("Duration", `${milliseconds(duration_ms)} ms`),
    fact("Longest part", longest(segments)),
    fact("Caller", request.caller ?? lines.find(({ caller }) => caller)?.caller),
    fact("Request id", element("code", {}, request_id ?? idInHeaders(exchanges)), true),
    fact("Trace id", element("code", {}, id), true),
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
  at("metrics").replaceChildren(...(metrics.length ? metrics.map(metric) : [tableRow("This request had no metrics.")]));
}

/** Return the plans that are shown by their segments' ids: new details must not take them away. */
function plans(id) {
  const shownPlans = at("statements").querySelectorAll(`[data-plan^="${CSS.escape(id)} "]`);
  return new Map([...shownPlans].map((each) => [each.dataset.plan.split(" ")[1], each]));
}

function fillOr(id, text) {
  if (!at(id).childElementCount) {
    at(id).append(element("p", { class: "quiet" }, text));
  }
}

/** Return the part of the request that took the longest, without the parts inside. */
function longest(segments) {
  const own = ({ id, duration_ms }) =>
    segments.reduce((rest, each) => rest - (each.parent_id === id ? each.duration_ms : 0), duration_ms ?? 0);
  const nameOf = (each) => (each.annotations?.operation ? `the code of ${each.name}` : partName(each));
  const times = segments.map((each) => ({ name: nameOf(each), milliseconds: own(each) }));
  const [first] = times.sort((a, b) => b.milliseconds - a.milliseconds);
  return first && `${first.name}: ${milliseconds(first.milliseconds)}\u00a0ms`;
}

/** Return the request id in a response: the gateway's own responses have no log lines. */
function idInHeaders([exchanged]) {
  const found = exchanged?.response.headers.find((pair) => array(pair)[0] === "Request-Id");
  return found?.[1] ?? "unknown";
}

/** Return the name of a part. The API's name and stage are the gateway's. */
const partName = ({ name, http }) => (http ? `${name} (gateway)` : name);

/** Return what a client was told, if the response is a problem. */
function problem({ response }) {
  const told = parsed(response.body);
  if (typeof told?.type !== "string" || !told.status) {
    return [];
  }
  const errors = inputErrors(array(told.errors));
  return [element("section", { class: told.status >= 500 ? "problem fault" : "problem" },
    element("h3", {}, `${told.status} ${told.title}`), element("p", {}, told.detail ?? ""),
    errors.length ? element("ul", {}, ...errors) : null,
    element("p", { class: "quiet" }, told.type.replace("/problems#", "Type: ")))];
}

function inputErrors(errors) {
  const first = errors.slice(0, MAX_ERRORS).map(inputError);
  const rest = errors.length - first.length;
  return rest ? [...first, element("li", {}, `${rest} more: see the body of the response`)] : first;
}

function inputError({ pointer, parameter, header, code, detail }) {
  return element("li", {}, element("code", {}, pointer ?? parameter ?? header ?? ""), ` ${detail} (${code})`);
}

function traceback({ traceback: text }) {
  // Its carets point at the line above: it scrolls, instead of being wrapped.
  return text ? [element("pre", { class: "trouble traceback", tabIndex: 0, role: "region", "aria-label": "Traceback" }, text)] : [];
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
  const lines = headers.map((pair) => array(pair).join(": "));
  const block = element("details", { open: length > 0 },
    element("summary", {}, `${name}: ${headers.length} headers, ${count(length)} characters`),
    element("pre", { class: "headers" }, [...(target ? [target] : []), ...lines].join("\n")));
  if (length) {
    const content = parsed(body);
    block.append(element("pre", { class: "body" }, content ? JSON.stringify(content, null, 2) : body));
  }
  if (body.length < length) {
    block.append(element("p", { class: "quiet" }, `The first ${count(body.length)} characters.`));
  }
  return block;
}

function lane(part, end) {
  const { depth, start_ms, duration_ms, mark } = part;
  const name = partName(part);
  const label = element("span", { class: "name", title: name }, name);
  label.style.paddingLeft = `${Math.min(depth, 10)}em`;
  const bar = element("span", { class: mark === "fault" ? "bar-of-time bad" : "bar-of-time" });
  bar.style.left = `${(100 * start_ms) / end}%`;
  bar.style.width = `${(100 * (duration_ms ?? 0)) / end}%`;
  const track = element("span", { class: "lane" }, bar);
  return element("li", {}, label, track, element("span", { class: "number" }, took(duration_ms, mark)));
}

function took(duration_ms, mark) {
  const text = duration_ms === null ? "goes on" : `${milliseconds(duration_ms)} ms`;
  return mark && mark !== "error" ? `${mark}, ${text}` : text; // an error is the client's
}

function statement(id, { id: segment, name, formatted, duration_ms, mark, metadata, cause }, hasPlans, kept) {
  const said = metadata?.default ?? {};
  const about = Object.entries(said).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  const [explainIt, plan] = hasPlans ? planned(id, { segment, name, duration_ms }, kept.get(segment)) : [];
  return element("article", {},
    element("div", { class: "row" },
      element("p", {}, [`${name}: ${took(duration_ms, mark)}`, ...about].join(", ")), explainIt),
    plan, element("pre", {}, formatted),
    ...array(cause?.exceptions).map((exception) => thrown(exception, mark)));
}

/** Return an exception with its calls; a duplicate key is an expected result. */
function thrown({ type, message: text, stack }, mark) {
  const calls = array(stack).map(({ path: file, line: number, label }) => `${file}:${number} ${label}`);
  return element("details", {},
    element("summary", { class: mark === "fault" && "trouble" }, [type, text].filter(Boolean).join(": ")),
    element("pre", {}, calls.join("\n")));
}

/** Return the button that explains a statement, and the place of its plan. */
function planned(id, statement, known) {
  const place = known ?? element("div", { class: "plan", role: "status" });
  place.dataset.plan = `${id} ${statement.segment}`;
  const properties = { class: "plain-button end", "aria-label": `Explain ${statement.name}` };
  return [button("Explain", () => explain(id, statement, place), properties), place];
}

async function explain(id, statement, place) {
  try {
    const query = new URLSearchParams({ segment: statement.segment });
    const plan = await json(`/requests/${encodeURIComponent(id)}/plan?${query}`, { method: "POST" });
    place.replaceChildren(steps(plan), hint(plan, statement));
  } catch (error) {
    place.replaceChildren(element("p", { class: "trouble" }, error.message));
  }
}

/** Return a plan with one list for each step: a table would be wider than the page. */
function steps({ columns, rows: found }) {
  return element("ol", {}, ...found.map((values) => {
    const step = Object.fromEntries(columns.map((column, i) => [column, values[i]]));
    const facts = Object.entries(step).filter(([, value]) => value).map(([name, value]) => fact(name, breakable(String(value))));
    return element("li", {}, element("p", {}, access(step)), element("dl", {}, ...facts));
  }));
}

/** Say where the time of a slow statement went, if its plan does not tell. */
function hint({ columns, rows: found }, { name, duration_ms }) {
  const estimate = found.reduce((sum, values) => sum + Number(values[columns.indexOf("rows")]), 0);
  if (duration_ms < SLOW_MS || estimate > FEW_ROWS) return "";
  const lock = name.startsWith("SELECT") ? "the table (LOCK TABLES, ALTER TABLE)" : "a row or the table";
  return element("p", { class: "hint" }, "The plan reads few rows, so the time went elsewhere: to a wait for a lock on "
    + `${lock} that another connection held, or to a database, a Data API server or a machine that was busy or stopped.`);
}

/** Return how a step finds its rows, of which the database gives an estimate. */
function access({ table, type, key, rows: estimate, Extra: extra, select_type: kind }) {
  if (!table) return extra || "No table";
  const rowsOf = estimate ? `, about ${count(Number(estimate))} ${estimate === "1" ? "row" : "rows"}` : "";
  if (table.startsWith("<")) return `${table}: the result of other steps${rowsOf}`;
  if (kind === "INSERT") return `${table}: new rows`;
  if (type === "ALL") return `${table}: all rows, without an index${rowsOf}`;
  if (type === "index") return `${table}: all of index ${key}${rowsOf}`;
  return `${table}${key ? `: index ${key}` : ""}${rowsOf}`;
}

function line(said) {
  const { timestamp, level, message } = said;
  return element("details", {},
    element("summary", {}, `${timestamp} ${level} ${message}`),
    element("pre", {}, JSON.stringify(said, null, 2)));
}

function metric({ name, unit, value }) {
  const made = tableRow([String(value), "number"], unit);
  made.prepend(element("th", { scope: "row" }, name));
  return made;
}

window.addEventListener("hashchange", open);
recall();
poll();
open();
