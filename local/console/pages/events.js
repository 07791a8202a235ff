import { at, element, json, moment, row, say } from "./dom.js";

const POLL_MS = 5000;

async function poll() {
  try {
    show((await json("/events/latest")).items);
    say("state", "");
  } catch (error) {
    say("state", `The console does not respond (${error.message}): is it running?`);
  }
  setTimeout(poll, POLL_MS);
}

function show(items) {
  at("empty").hidden = items.length > 0;
  at("table").hidden = items.length === 0;
  const shown = items.map(({ id, attempts }) => `${id} ${attempts}`).join();
  if (at("table").dataset.shown === shown) return; // the focus stays
  at("table").dataset.shown = shown;
  at("events").replaceChildren(...items.map(line));
}

function line({ time, type, resource_id, version, outcome, attempts }) {
  const link = element("a", { href: `/customers#${resource_id}` }, element("code", {}, resource_id));
  return row(moment(time), type, link, [String(version), "number"], outcome, [String(attempts), "number"]);
}

poll();
