/** A request of this page as a program: for a shell, Python and JavaScript. */

const token = document.body.dataset.token; // the command that prints one

/** Return the headers of the request, except the token. */
function headersOf({ headers, body }) {
  return { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers };
}

/** Return the headers as lines of a literal, which Python and JavaScript share. */
function pairs(headers, indent) {
  const line = ([name, value]) => `${" ".repeat(indent)}${JSON.stringify(name)}: ${JSON.stringify(value)},\n`;
  return Object.entries(headers).map(line).join("");
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(request) {
  const lines = [
    `curl -i ${request.method === "GET" ? "" : `-X ${request.method} `}${shell(request.url)}`,
    `-H "Authorization: Bearer $(${token})"`,
    ...Object.entries(headersOf(request)).map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
  ];
  if (request.body !== undefined) lines.push(`-d ${shell(JSON.stringify(request.body))}`);
  return lines.join(" \\\n  ");
}

/** Return a JSON value as Python's repr would, with an indent. */
function literal(value, indent = "    ") {
  const inner = `${indent}    `;
  const wrap = (open, items, close) =>
    items.length ? `${open}\n${items.map((each) => `${inner}${each},\n`).join("")}${indent}${close}` : open + close;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return wrap("[", value.map((each) => literal(each, inner)), "]");
  const items = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each, inner)}`);
  return wrap("{", items, "}");
}

function python(request) {
  const headers = pairs(headersOf(request), 8);
  const json = request.body === undefined ? "" : `    json=${literal(request.body)},\n`;
  return `# export TOKEN=$(${token})
import os

import requests

response = requests.request(
    "${request.method}",
    ${JSON.stringify(request.url)},
    headers={
        "Authorization": f"Bearer {os.environ['TOKEN']}",
${headers}    },
${json}    timeout=30,
)
print(response.status_code, response.text)`;
}

function javaScript(request) {
  const headers = pairs(headersOf(request), 4);
  const value = JSON.stringify(request.body, null, 2)?.replaceAll("\n", "\n  ");
  const body = request.body === undefined ? "" : `  body: JSON.stringify(${value}),\n`;
  return `// export TOKEN=$(${token})
const response = await fetch(${JSON.stringify(request.url)}, {
  method: "${request.method}",
  headers: {
    Authorization: \`Bearer \${process.env.TOKEN}\`,
${headers}  },
${body}});
console.log(response.status, await response.text());`;
}

export const LANGUAGES = { curl, Python: python, JavaScript: javaScript };
