const POLL_MS = 1000;
const KEPT = 2000;

const at = (id) => document.getElementById(id);
const rows = new Map(); // table rows by trace id, newest last
const beside = matchMedia("(min-width: 1100px)"); // true: details beside the list; false: below
let sequence = 0;
let shown = null; // the trace whose details are requested
let paused = false;

/** Return an element; text is text, whatever it holds. */
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

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
  try {
    if (!paused) {
      update(await json(`/requests?since=${sequence}`));
    }
  } catch (error) {
    say(`The console does not respond (${error.message}): is it running?`, true);
  }
  setTimeout(poll, POLL_MS);
}

function update({ first, sequence: last, requests, dropped }) {
  if (sequence < first) {
    forget(); // the rows are from an earlier console
  }
  sequence = last;
  requests.reverse().forEach(put);
  for (const [id, row] of rows) {
    if (rows.size <= KEPT) break;
    row.remove();
    rows.delete(id);
  }
  at("empty").hidden = rows.size > 0;
  at("table").hidden = rows.size === 0;
  tell(dropped);
  if (requests.some(({ trace_id }) => trace_id === shown)) {
    open();
  }
}

function forget() {
  rows.clear();
  at("requests").replaceChildren();
}

function tell({ lost, refused, full }) {
  const troubles = [
    lost && `${lost} segments came too fast and are lost`,
    refused && `${refused} datagrams were no segments`,
    full && `${full} segments were too much for their trace`,
  ].filter(Boolean);
  const now = paused ? "paused" : `${rows.size} requests`;
  say([now, ...troubles].join("; "), false);
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
  row.hidden = !matches(row);
}

function fill(row, { trace_id, start, method, path, operation, status, duration_ms, statements }) {
  const texts = [
    time(start), method ?? "…", path ?? operation ?? "…", status ?? "",
    milliseconds(duration_ms), statements,
  ];
  if (!row.cells.length) {
    texts.forEach((_, i) => row.append(element("td", "", i > 3 ? "number" : "")));
    const link = element("a");
    link.href = `#${trace_id}`;
    link.tabIndex = rows.size === 1 ? 0 : -1;
    row.cells[2].append(link);
  }
  texts.forEach((text, i) => ((i === 2 ? link(row) : row.cells[i]).textContent = text));
  row.cells[3].dataset.class = String(status ?? "").charAt(0);
  row.dataset.text = `${method} ${path ?? operation} ${status}`.toLowerCase();
}

const link = (row) => row.cells[2].firstChild;

function matches(row) {
  const words = at("filter").value.toLowerCase().split(/\s+/);
  return words.every((word) => row.dataset.text.includes(word));
}

function focus(row) {
  if (row) {
    at("requests").querySelectorAll("a[tabindex='0']").forEach((each) => (each.tabIndex = -1));
    link(row).tabIndex = 0;
    link(row).focus();
  }
}

/** Return the row that a key leads to from another, among those that are not filtered out. */
function target(key, row) {
  const visible = [...at("requests").rows].filter((each) => !each.hidden);
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
  rows.forEach((row) => (row.hidden = !matches(row)));
  reachable();
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
  say(paused ? "paused" : `${rows.size} requests`, false);
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && shown) {
    const row = rows.get(shown);
    location.hash = "";
    focus(row);
  }
});

/** Keep one row in the order of Tab, also when the one that was is filtered out. */
function reachable() {
  const current = at("requests").querySelector("tr:not([hidden]) a[tabindex='0']");
  const first = at("requests").querySelector("tr:not([hidden]) a");
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
    if (id === shown) {
      show(id, details);
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
  for (const id of ["facts", "waterfall", "statements", "lines", "metrics"]) {
    at(id).replaceChildren();
  }
  at("title").textContent = message;
}

function show(id, { request, request_id, segments, lines, metrics, has_plans }) {
  const { method, path, operation, status, duration_ms } = request;
  at("title").textContent = [method, path ?? operation, status].filter(Boolean).join(" ");
  at("facts").replaceChildren(
    fact("Operation", operation), fact("Duration", `${milliseconds(duration_ms)} ms`),
    fact("Request id", request_id), fact("Trace id", id),
  );
  const end = Math.max(...segments.map((each) => each.start_ms + (each.duration_ms ?? 0)));
  at("waterfall").replaceChildren(...segments.map((each) => lane(each, end || 1)));
  const statements = segments.filter((each) => each.sql !== null);
  const kept = plans(id);
  at("statements").replaceChildren(...statements.map((each) => statement(id, each, has_plans, kept)));
  fillOr("statements", "This request had no statements.");
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

function lane({ name, depth, start_ms, duration_ms, mark }, end) {
  const item = element("li");
  const label = element("span", name, "name");
  label.style.paddingLeft = `${Math.min(depth, 10)}em`;
  label.title = name;
  const bar = element("span", "", mark ? "bar-of-time bad" : "bar-of-time");
  bar.style.left = `${(100 * start_ms) / end}%`;
  bar.style.width = `${(100 * (duration_ms ?? 0)) / end}%`;
  const track = element("span", "", "lane");
  track.append(bar);
  item.append(label, track, element("span", took(duration_ms, mark), "number"));
  return item;
}

function took(duration_ms, mark) {
  const text = duration_ms === null ? "goes on" : `${milliseconds(duration_ms)} ms`;
  return mark ? `${mark}, ${text}` : text;
}

function statement(id, { id: segment, name, sql, duration_ms, mark, metadata, cause }, hasPlans, kept) {
  const block = element("article");
  const said = metadata?.default ?? {};
  const about = Object.entries(said).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  block.append(element("p", [`${name}: ${took(duration_ms, mark)}`, ...about].join(", ")));
  block.append(element("pre", sql));
  if (cause) {
    block.append(element("pre", JSON.stringify(cause, null, 2), "trouble"));
  }
  if (hasPlans) {
    block.append(...planned(id, segment, name, kept.get(segment)));
  }
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
    place.replaceChildren(table(plan));
  } catch (error) {
    place.replaceChildren(element("p", error.message, "trouble"));
  }
}

function table({ columns, rows: found }) {
  const made = element("table");
  made.append(tableRow("th", columns), ...found.map((each) => tableRow("td", each)));
  return made;
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
poll();
open();
