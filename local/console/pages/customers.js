/** The page of customers: what a developer does here is a request to the API. */

import { Unreachable, call, rememberScopes, sent, untilReachable, whenSent } from "./api.js";
import {
  at, breakable, button, callerNames, chosen, element, fact, focusDetails, json, moment, row, showDetails, statusBadge,
} from "./dom.js";
import { compact, editor, patch, showErrors } from "./form.js";
import { LANGUAGES } from "./snippets.js";

const LIMIT = 50;
const TYPING_MS = 250;
const MERGE_PATCH = { "Content-Type": "application/merge-patch+json" };

const filters = at("filters");
let next = null; // the path of the next page
let loading = null; // aborts the request of the list
let form = null; // the editor of the open customer
let opened = null; // {id, document, etag} of the open customer, or null
let before = {}; // what the form held when it was filled
let creation = {}; // the key and the body of the last attempt to create a customer

// --- the list ---------------------------------------------------------------------------------

/** Return the parameters of the list: what is not empty. */
function query() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) {
    const isLocalTime = filters.elements[name].type === "datetime-local";
    if (value) parameters.set(name, isLocalTime ? new Date(value).toISOString() : value);
  }
  return parameters;
}

async function list() {
  loading?.abort();
  loading = new AbortController();
  const parameters = query();
  history.replaceState(null, "", `${location.pathname}${String(parameters) && `?${parameters}`}${location.hash}`);
  parameters.set("limit", LIMIT);
  await page(`/customers?${parameters}`, (rows) => at("rows").replaceChildren(...rows));
}

async function page(path, put) {
  try {
    const { ok, body } = await call("GET", path, { signal: loading.signal });
    showParameterErrors(ok ? [] : body.errors ?? []);
    at("list-problem").replaceChildren(...(ok ? [] : [problemOf(body, body.errors)]));
    at("found").hidden = !ok && !path.includes("cursor="); // else the rows are of another filter
    if (!ok) return;
    put(body.items.map(line));
    next = body.next;
    at("more").hidden = !next;
    count();
  } catch (error) {
    if (error.name === "AbortError") return;
    at("list-problem").replaceChildren(problemOf(asProblem(error)));
    if (error instanceof Unreachable) recover();
  }
}

function count() {
  const { length } = at("rows").rows;
  const shown = length === 1 ? "1 customer" : `${length} customers`;
  at("count").textContent = length ? `${shown}${next ? ", and more" : ""}` : "No customer matches.";
}

async function more() {
  const last = at("rows").lastElementChild;
  await page(next, (rows) => at("rows").append(...rows));
  last?.nextElementSibling?.querySelector("a").focus();
}

function showParameterErrors(errors) {
  for (const input of filters.elements) {
    const wrong = errors.some(({ parameter }) => parameter === input.name);
    if (input.name) input.setAttribute("aria-invalid", String(wrong));
  }
}

function nameOf({ given_name: given, family_name: family, company_name: company, email }) {
  return [given, family].filter(Boolean).join(" ") || company || email;
}

function line(customer) {
  const { id, email, created_at: created } = customer;
  const link = element("a", { href: `#${id}`, dir: "auto" }, nameOf(customer));
  const name = element("div", {}, link, element("div", { class: "below" }, breakable(email)));
  const made = row(name, [breakable(email), "minor"], badge(customer), [moment(created), "minor optional"]);
  made.dataset.id = id;
  if (id === opened?.id) made.setAttribute("aria-current", "true");
  return made;
}

function badge({ status, deleted_at: deleted }) {
  if (deleted) return element("span", { class: "badge bad" }, "deleted");
  return element("span", { class: status === "active" ? "badge good" : "badge" }, status);
}

/** Show a customer's new state in the list, where it is listed. */
function update(customer) {
  const old = at("rows").querySelector(`[data-id="${customer.id}"]`);
  old?.replaceWith(line(customer));
}

const rowOf = (id) => at("rows").querySelector(`[data-id="${CSS.escape(id)}"]`);

at("rows").addEventListener("keydown", (event) => {
  const here = event.target.closest("tr");
  const to = { ArrowDown: here?.nextElementSibling, ArrowUp: here?.previousElementSibling }[event.key];
  if (!to) return;
  event.preventDefault();
  to.querySelector("a").focus();
});
at("rows").addEventListener("click", ({ target }) => {
  location.hash = target.closest("tr").dataset.id;
});
at("more").addEventListener("click", more);
let typing;
filters.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(list, TYPING_MS);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  list();
});
filters.elements.q.addEventListener("keydown", (event) => {
  const first = at("rows").querySelector("a");
  if (event.key !== "ArrowDown" || !first) return;
  event.preventDefault();
  first.focus();
});

// --- problems ---------------------------------------------------------------------------------

const asProblem = (error) =>
  error instanceof Unreachable
    ? { title: "The API does not respond", detail: error.message }
    : { title: "This page has an error", detail: String(error) };

/** Return what a problem says (RFC 9457), and what remains of its errors. */
function problemOf({ title, status, detail }, errors = [], ...actions) {
  const items = errors.map(({ pointer, parameter, detail: text }) =>
    element("li", {}, element("code", {}, pointer ?? parameter ?? ""), ` ${text}`));
  return element("div", { class: "problem" },
    element("h3", {}, status ? `${status}: ${title}` : title),
    detail ? element("p", {}, detail) : null,
    items.length ? element("ul", {}, ...items) : null,
    actions.length ? element("div", { class: "row" }, ...actions) : null,
  );
}

function fail(made) {
  at("state").textContent = "";
  at("problem").replaceChildren(made);
  const wrong = at("fields").querySelector("[aria-invalid]:not(fieldset)") ?? at("problem");
  wrong.focus();
}

function succeed(text, request) {
  form?.fail();
  at("problem").replaceChildren();
  at("state").replaceChildren(text, " ", linkTo(request, "Show the request"));
  const isLost = !document.activeElement.checkVisibility() || document.activeElement === document.body;
  if (isLost) focusDetails(); // the button that was pressed is hidden now
}

// --- the open customer ------------------------------------------------------------------------

/** Open what the address names: a customer, a new one, or nothing. */
async function open() {
  const id = chosen();
  if (opened && opened.id !== id && isDirty() && !confirm("Discard your changes?")) {
    location.hash = opened.id;
    return;
  }
  if (opened?.id === id) return;
  close();
  if (id) await start(id);
}

function close() {
  const id = opened?.id;
  opened = null;
  showDetails(false);
  at("rows").querySelector("[aria-current]")?.removeAttribute("aria-current");
  if (id) (rowOf(id)?.querySelector("a") ?? at("create")).focus();
}

async function start(id) {
  opened = { id };
  before = {};
  for (const part of ["state", "problem", "facts", "fields", "history", "events"]) at(part).replaceChildren();
  at("form").hidden = at("story").hidden = true;
  at("title").textContent = id === "new" ? "New customer" : "Customer";
  showDetails(true);
  rowOf(id)?.setAttribute("aria-current", "true");
  await attempt(async () => {
    await makeForm();
    if (opened?.id !== id) return;
    await (id === "new" ? show(null) : read(id));
    if (id === "new") at("fields").querySelector("input").focus();
    else focusDetails();
  });
}

/** Do something, and show the error that it raises. The form keeps its input. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    fail(problemOf(asProblem(error)));
    if (error instanceof Unreachable) recover();
  }
}

/** Show the list and the customer, if they could not be read, when the API responds again. */
let recovering = false;
async function recover() {
  if (recovering) return;
  recovering = true;
  await untilReachable();
  recovering = false;
  list();
  if (opened && at("form").hidden) start(opened.id);
}

/** Make the form of the fields that the API describes. */
let description = null;
async function makeForm() {
  if (!description) {
    const { body } = await call("GET", "/openapi.json");
    description = body.components.schemas;
  }
  form = editor("customer", description.CustomerCreation, description);
  at("fields").replaceChildren(form.node);
}

const path = (id, rest = "") => `/customers/${encodeURIComponent(id)}${rest}`;

async function read(id) {
  const { ok, status, body, etag } = await call("GET", path(id));
  if (opened?.id !== id) return;
  if (ok) show(body, etag);
  else if (status === 404) await readGone(id, body);
  else fail(problemOf(body, body.errors));
}

/** Show a customer that is deleted, or the receipt of its erasure. */
async function readGone(id, problem) {
  const exported = await call("GET", path(id, "/export"));
  if (exported.ok) {
    const { customer } = exported.body;
    show(customer, `"v${customer.version}"`);
    return;
  }
  const erased = await call("GET", path(id, "/erasure"));
  if (!erased.ok) fail(problemOf(problem));
  else showErased(erased.body);
}

function showErased({ id, erased_at: at_, receipt }) {
  opened = { id };
  at("title").replaceChildren("Customer ", element("span", { class: "badge bad" }, "erased"));
  at("facts").replaceChildren(
    fact("Id", element("code", {}, id), true), fact("Erased", moment(at_)),
    fact("Receipt", element("code", {}, receipt), true),
  );
  at("form").hidden = at("story").hidden = true;
}

/** Show a customer, or an empty form. */
function show(customer, etag = null) {
  const id = customer?.id ?? "new";
  opened = { id, document: customer, etag };
  const isDeleted = Boolean(customer?.deleted_at);
  at("title").replaceChildren(...(customer ? [nameOf(customer), " ", badge(customer)] : ["New customer"]));
  at("facts").replaceChildren(...(customer ? facts(customer, etag) : []));
  form.fill(customer ?? {});
  before = form.read();
  at("fields").disabled = isDeleted;
  at("save").hidden = isDeleted;
  at("restore").hidden = !isDeleted;
  at("delete").hidden = !customer || isDeleted;
  at("erase").hidden = !customer;
  at("save").textContent = customer ? "Save" : "Create";
  at("form").hidden = false;
  at("story").hidden = !customer;
  if (customer) showStory(id);
}

function facts({ id, version, created_at, updated_at, deleted_at, purge_at }, etag) {
  const code = (text) => element("code", {}, text);
  const known = [
    ["Id", code(id)], ["Version", String(version)], ["ETag", code(etag)], ["Created", moment(created_at)],
    ["Updated", element("span", { id: "updated" }, moment(updated_at))],
    ["Deleted", moment(deleted_at)], ["Erased after", moment(purge_at)],
  ];
  return known.filter(([, value]) => value).map(([name, value]) => fact(name, value, name === "Id"));
}

const isDirty = () => Boolean(form && !at("form").hidden && Object.keys(patch(before, form.read())).length);

/** Show the history, which the API keeps, and the events, which the console has sent. */
async function showStory(id) {
  const [changes, events, names] = await Promise.allSettled([
    call("GET", path(id, "/history")), json(`/events/latest?resource_id=${encodeURIComponent(id)}`), callerNames(),
  ]);
  if (opened?.id !== id) return;
  const by = (caller) => (caller ? `by ${names.value?.(caller) ?? caller}` : "");
  at("history").replaceChildren(historyOf(changes, by));
  const [last] = changes.value?.ok ? changes.value.body.items : [];
  at("updated").append(" ", by(last?.caller));
  at("events").replaceChildren(eventsOf(events.value?.items ?? []));
}

function historyOf({ value, reason }, by) {
  if (!value?.ok) return problemOf(value?.body ?? asProblem(reason));
  return story(value.body.items.map(({ version, operation, changed_at: time, caller, changed_fields: fields }) =>
    [version, operation, time, by(caller), fields?.join(", ")]));
}

function eventsOf(items) {
  if (!items.length) return element("p", { class: "quiet small" }, "No event yet: an event follows a minute after its change.");
  return story(items.map(({ version, type, time, outcome }) => [version, type, time, outcome]));
}

/** Return a list of what happened to the versions, newest first. */
function story(items) {
  return element("ol", { class: "story" }, ...items.map(([version, what, time, ...more]) =>
    element("li", {},
      element("span", { class: "badge" }, `v${version}`), element("strong", {}, what), moment(time),
      element("span", { class: "quiet" }, more.filter(Boolean).join(" · ")),
    )));
}

// --- writes -----------------------------------------------------------------------------------

async function save() {
  const document = form.read();
  if (opened.id === "new") {
    await create(compact(document));
    return;
  }
  const changes = patch(before, document);
  if (Object.keys(changes).length) await write("Saved", "PATCH", "", changes);
  else at("state").textContent = "Nothing has changed.";
}

/** Create a customer. A retry of the same input has the same key, and so creates no second one. */
async function create(body) {
  const text = JSON.stringify(body);
  if (creation.text !== text) creation = { text, key: crypto.randomUUID() };
  const result = await call("POST", "/customers", { headers: { "Idempotency-Key": creation.key }, body });
  if (!result.ok) {
    fail(problemOf(result.body, showErrors(form, result.body.errors ?? [])));
    return;
  }
  at("rows").prepend(line(result.body));
  count();
  show(result.body, result.etag);
  rowOf(opened.id).setAttribute("aria-current", "true");
  history.replaceState(null, "", `#${opened.id}`);
  succeed("Created.", result.request);
}

/** Change the open customer, if it still has the version that is shown. */
async function write(done, method, rest, body, etag = opened.etag) {
  const { id } = opened;
  const headers = { "If-Match": etag, ...(body === undefined ? {} : MERGE_PATCH) };
  const result = await call(method, path(id, rest), { headers, body });
  if (opened?.id !== id) return;
  if (result.status === 412) {
    await conflict(result.body, (current) => write(done, method, rest, body, current));
  } else if (!result.ok) {
    fail(problemOf(result.body, showErrors(form, result.body.errors ?? [])));
  } else if (result.body) {
    show(result.body, result.etag);
    update(result.body);
    succeed(`${done}: version ${result.body.version}.`, result.request);
  } else {
    await readGone(id, {});
    if (opened.document?.deleted_at) update(opened.document);
    else rowOf(id)?.remove();
    succeed(`${done}.`, result.request);
  }
}

/** Explain that somebody else changed the customer, and offer both ways out. */
async function conflict(problem, overwrite) {
  const { id, document: mine } = opened;
  const now = await call("GET", path(id));
  if (!now.ok) {
    fail(problemOf(problem, [], button("Reload", () => attempt(() => readGone(id, now.body)))));
    return;
  }
  const names = Object.keys(before).filter((name) => JSON.stringify(mine[name]) !== JSON.stringify(now.body[name]));
  const detail = `You have version ${mine.version}; it is now version ${now.body.version}.`
    + (names.length ? ` Changed meanwhile: ${names.join(", ")}.` : "");
  const title = "Somebody else changed this customer";
  fail(problemOf({ title, detail, status: 412 }, differences(names, now.body),
    button("Overwrite with mine", () => attempt(() => overwrite(now.etag)), { class: "primary" }),
    button("Reload, and discard mine", () => {
      show(now.body, now.etag);
      update(now.body);
      succeed(`Reloaded: version ${now.body.version}.`, now.request);
    }),
  ));
}

function differences(names, now) {
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return names.map((name) => ({
    pointer: name, detail: `is now ${text(now[name])}; the form has ${text(form.read()[name])}`,
  }));
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(save);
});
at("delete").addEventListener("click", () => attempt(() => write("Deleted", "DELETE", "")));
at("restore").addEventListener("click", () => attempt(() => write("Restored", "POST", "/restore")));
at("erase").addEventListener("click", () => at("confirm").showModal());
at("confirm").addEventListener("close", ({ target }) => {
  if (target.returnValue === "erase") attempt(() => write("Erased", "POST", "/erase"));
  target.returnValue = "";
});
document.addEventListener("keydown", ({ key, defaultPrevented }) => {
  if (key === "Escape" && opened && !defaultPrevented && !at("confirm").open) location.hash = "";
});
addEventListener("beforeunload", (event) => {
  if (opened && isDirty()) event.preventDefault();
});

// --- the page's own requests ------------------------------------------------------------------

const linkTo = ({ traceId }, text) => element("a", { href: `/requests#${traceId}` }, text);

function showSent() {
  at("sent").replaceChildren(...sent.map((request) => {
    const { method, path: to, status } = request;
    const name = `${method} ${to}`;
    const copies = Object.entries(LANGUAGES).map(([language, write_]) => button(
      language, () => copy(language, write_(request)),
      { class: "plain-button", "aria-label": `Copy ${name} as ${language}` },
    ));
    return element("li", {}, statusBadge(status), linkTo(request, breakable(name)), ...copies);
  }));
}

async function copy(language, text) {
  at("copy").textContent = text;
  at("copy").hidden = false;
  try {
    await navigator.clipboard.writeText(text);
    at("copied").textContent = `Copied as ${language}:`;
  } catch {
    at("copied").textContent = `The browser does not allow copying. As ${language}:`;
  }
}

// --- the start --------------------------------------------------------------------------------

function restoreFilters() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const input = filters.elements[name];
    if (!input) continue;
    if (input.type === "checkbox") input.checked = true;
    else if (input.type === "datetime-local") input.value = local(value);
    else input.value = value;
    if (input.closest("details")) at("more-filters").open = true;
  }
}

/** Return a time as the input shows it: in this time zone, without an offset. */
const local = (iso) => new Date(iso).toLocaleString("sv-SE").replace(" ", "T");

whenSent(showSent);
rememberScopes(list);
restoreFilters();
addEventListener("hashchange", open);
list();
open();
