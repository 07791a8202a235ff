/** Requests to the API, with a token of the chosen scopes. */

import { at } from "./dom.js";

const API = document.body.dataset.api;
const KEPT = 20; // requests
const RETRY_MS = 1000;
const CHOICE = "scopes"; // the key in the session's storage
const tokens = new Map();

export const sent = []; // the last requests, newest first
const listeners = [];

/** Call a function with each request that has a response. */
export const whenSent = (listener) => listeners.push(listener);

/** No response arrived. */
export class Unreachable extends Error {}

/**
 * Send a request. Returns `{ok, status, etag, body, request}`, whatever the status.
 * Raises `Unreachable`, and AbortError if `signal` aborts the request.
 */
export async function call(method, path, { headers = {}, body, signal } = {}) {
  const request = { method, path, headers, body, url: API + path, traceId: newTraceId() };
  const response = await send(request, signal);
  Object.assign(request, { status: response.status, id: response.headers.get("Request-Id") });
  sent.unshift(request);
  sent.splice(KEPT);
  listeners.forEach((listener) => listener(request));
  const text = await response.text();
  const etag = response.headers.get("ETag");
  return { ok: response.ok, status: response.status, etag, body: parsed(text), request };
}

async function send({ method, url, headers, body, traceId }, signal) {
  const own = { "X-Amzn-Trace-Id": `Root=${traceId}` };
  const token = await currentToken();
  if (token) own.Authorization = `Bearer ${token}`;
  if (body !== undefined) own["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(url, { method, headers: { ...own, ...headers }, body: content, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const advice = "After an edit, the API restarts, and this page continues. If it can't, the page of requests shows why.";
    throw new Unreachable(`No response from ${API}. ${advice}`);
  }
}

/** Wait until the API responds, whatever the status. */
export async function untilReachable() {
  const isReachable = () => fetch(`${API}/health`).then(() => true, () => false);
  while (!(await isReachable())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return { title: "The response is not JSON", detail: text.slice(0, 500) };
  }
}

/** Return a token of the chosen scopes, or null for no token. */
async function currentToken() {
  const scopes = at("scope").value;
  if (!scopes) return null;
  if (!tokens.has(scopes)) {
    const query = new URLSearchParams({ scope: scopes });
    const response = await fetch(`/token?${query}`, { method: "POST" });
    tokens.set(scopes, (await response.json()).access_token);
  }
  return tokens.get(scopes);
}

/** Return an id for X-Ray, by which the page of requests finds this request. */
function newTraceId() {
  const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
  const seconds = Math.floor(Date.now() / 1000).toString(16).padStart(8, "0");
  return `1-${seconds}-${hex(crypto.getRandomValues(new Uint8Array(12)))}`;
}

/** Keep the choice of scopes until the tab is closed. Call a function after each other choice. */
export function rememberScopes(listener) {
  const kept = sessionStorage.getItem(CHOICE);
  if (kept !== null) at("scope").value = kept;
  at("scope").addEventListener("change", () => {
    sessionStorage.setItem(CHOICE, at("scope").value);
    listener();
  });
}
