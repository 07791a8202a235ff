/** The overview: the figures of the last minutes, which the console computes of the segments. */

import { at, breakable, element, fact, json, row, say, statusBadge } from "./dom.js";

const POLL_MS = 2000;
const WIDTH = 600;
const HEIGHT = 130;

async function poll() {
  try {
    show(await json("/overview"));
  } catch (error) {
    say("state", `The console does not respond (${error.message}): is it running?`);
  }
  setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
}

const number = (value, digits = 1) =>
  value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits });
const time = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);
const each = ({ statements, requests }) => number(requests ? statements / requests : null);

function show(now) {
  const minutes = now.span === 60 ? "minute" : `${now.span / 60} minutes`;
  say("glance-title", `Last ${minutes}`);
  say("running", now.is_api_running ? "the API is running" : "the API is not running");
  at("running").className = `badge end ${now.is_api_running ? "good" : "bad"}`;
  at("stopped").hidden = now.is_api_running;
  say("state", scope(now));
  at("figures").replaceChildren(...figures(now));
  at("rate-chart").replaceChildren(rateChart(now));
  at("latency-chart").replaceChildren(latencyChart(now));
  fill("bars", now.bars, barRow, 6);
  fill("operations", now.operations, operationRow, 5);
  fill("slowest", now.slowest, slowRow, 3);
  fill("problems", now.problems, problemRow, 3, "No errors.");
  fill("starts", [["cold", now.cold], ["warm", now.warm]], startRow, 4);
}

/** Say of which requests the figures are: the console stores the last 2,000. */
function scope({ requests, seconds, span }) {
  if (!requests) return "No requests yet. Open the customers, or send a request from the documentation.";
  const few = seconds < span - 1 ? `, all of the last ${number(seconds, 0)} s: earlier ones were dropped` : "";
  return `${number(requests)} ${requests === 1 ? "request" : "requests"}${few}`;
}

function figures({ requests, rate, p50, p95, p99, errors, faults, statements, cold }) {
  const all = [
    ["Requests per second", number(rate, 2)],
    ["Latency, 50%", unit(p50)], ["Latency, 95%", unit(p95)], ["Latency, 99%", unit(p99)],
    ["Errors (4xx)", number(errors)], ["Faults (5xx)", number(faults)],
    ["Statements per request", each({ statements, requests })], ["Cold requests", number(cold.requests)],
  ];
  return all.map(([name, value]) => fact(name, value));
}

/** Return a latency in ms with its unit. */
function unit(value) {
  if (value === null) return "–";
  return value < 1000 ? `${number(value)} ms` : `${number(value / 1000, 2)} s`;
}

/** Replace the rows of a table, unless they are the same: a link keeps its focus. */
function fill(id, items, make, columns, none = "No requests yet.") {
  const shown = JSON.stringify(items);
  if (at(id).dataset.shown === shown) return;
  at(id).dataset.shown = shown;
  const nothing = () => element("tr", {}, element("td", { colSpan: columns, class: "quiet" }, none));
  at(id).replaceChildren(...(items.length ? items.map(make) : [nothing()]));
}

const numbers = (...values) => values.map((value) => [number(value), "number"]);
const units = (...values) => values.map((value) => [unit(value), "number"]);

const barRow = ({ start, requests, errors, faults, p50, p95 }) =>
  row(time(start), ...numbers(requests, errors, faults), ...units(p50, p95));

const operationRow = (figure) => row(
  element("code", {}, breakable(figure.operation)), ...numbers(figure.requests),
  [unit(figure.p50), "number minor"], ...units(figure.p95), [each(figure), "number minor"],
);

const slowRow = ({ trace_id, method, path, status, duration_ms }) =>
  row(link(trace_id, `${method} ${path}`), statusBadge(status), ...units(duration_ms));

const problemRow = ({ problem, status, requests, latest }) =>
  row(link(latest, problem), statusBadge(status), ...numbers(requests));

const startRow = ([name, { requests, p50, p95 }]) => row(name, ...numbers(requests), ...units(p50, p95));

const link = (traceId, text) => element("a", { href: `/requests#${traceId}` }, breakable(text));

// --- charts -----------------------------------------------------------------------------------

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

/** Return a chart with its scale. Its label says what a reader of the table finds. */
function chart({ start, span }, top, label, shapes) {
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label,
  }, ...shapes);
  return element("div", { class: "chart" },
    element("p", { class: "top" }, top), drawing,
    element("p", { class: "times" }, element("span", {}, time(start)), element("span", {}, time(start + span))),
  );
}

function rateChart(now) {
  const { bars, span, rate } = now;
  const [width, seconds] = [WIDTH / bars.length, span / bars.length];
  const most = Math.max(1, ...bars.map(({ requests }) => requests));
  const shapes = bars.flatMap(({ requests, errors, faults }, i) => {
    let bottom = HEIGHT;
    const parts = [["good", requests - errors - faults], ["fair", errors], ["bad", faults]];
    return parts.filter(([, count]) => count).map(([name, count]) => {
      const height = (HEIGHT * count) / most;
      bottom -= height;
      return svg("rect", { class: name, x: i * width + 0.5, y: bottom, width: width - 1, height });
    });
  });
  return chart(now, number(most / seconds, 2), `Bars: on average ${number(rate, 2)} requests per second`, shapes);
}

function latencyChart(now) {
  const { bars, p50, p95 } = now;
  const most = Math.max(1, ...bars.map((bar) => bar.p95 ?? 0));
  const shapes = ["p95", "p50"].flatMap((name) => lines(bars, name, most));
  return chart(now, unit(most), `Lines: 50% within ${unit(p50)}, 95% within ${unit(p95)}`, shapes);
}

/** Return a line for each series of bars with requests; a bar alone is a short line. */
function lines(bars, name, most) {
  const width = WIDTH / bars.length;
  const made = [];
  let points = [];
  for (const [i, bar] of [...bars.entries(), [0, { [name]: null }]]) {
    if (bar[name] === null) {
      if (points.length) made.push(points);
      points = [];
    } else {
      const y = (HEIGHT - 2) * (1 - Math.log1p(bar[name]) / Math.log1p(most)) + 1;
      if (!points.length) points.push([i * width, y]);
      points.push([(i + 0.5) * width, y]);
      points.end = [(i + 1) * width, y];
    }
  }
  const text = (series) => [...series, series.end].map((point) => point.join()).join(" ");
  return made.map((series) => svg("polyline", { class: name, points: text(series) }));
}

poll();
