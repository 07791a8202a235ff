/**
 * A form for a JSON schema of the API's description, so that a new field appears without a change here.
 *
 * Each editor has `node`, `read()`, `fill(value)`, `find(keys)` (the editor that a JSON pointer leads
 * to, or undefined) and `fail(detail)`, which shows an error next to the value, or removes it.
 */

import { button, element } from "./dom.js";

let count = 0;

const title = (name) => (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");

/** Return the first sentence of a description, unless it only repeats the name. */
function hint(name, { description = "" }) {
  const sentence = description.split(/\.(?= |$)/)[0].replaceAll("`", "");
  return sentence.toLowerCase().startsWith(title(name).toLowerCase()) ? "" : sentence;
}

const resolved = (schema, schemas) =>
  schema.$ref ? { ...schemas[schema.$ref.split("/").pop()], ...schema } : schema;

/** Return the editor of a value. `schemas` are the description's. */
export function editor(name, raw, schemas, required = false) {
  const schema = resolved(raw, schemas);
  if (schema.properties) return group(name, schema, schemas);
  if (schema.type === "array") return list(name, schema, schemas);
  if (schema.type === "object") return pairs(name, schema);
  return leaf(name, schema, required);
}

function leaf(name, schema, required) {
  const id = `field-${count++}`;
  const input = schema.enum
    ? element("select", { id }, ...schema.enum.map((each) => element("option", {}, each)))
    : element("input", { id, maxLength: schema.maxLength, autocomplete: "off" });
  const label = element("label", { for: id }, title(name), required ? " (required)" : "");
  const about = element("p", { id: `${id}-about`, class: "hint" }, hint(name, schema));
  const { node: error, fail } = failure(input, about.textContent ? about.id : "");
  const node = element("div", { class: "field" }, label, input, about.textContent ? about : null, error);
  const initial = input.value;
  const read = () => input.value.trim() || null;
  const fill = (value) => (input.value = value ?? initial);
  const own = { node, read, fill, fail };
  return { ...own, find: (keys) => (keys.length ? undefined : own) };
}

/** Return the line of an input's error, and a function that sets it. */
function failure(input, description = "") {
  const node = element("p", { id: `error-${count++}`, class: "error", hidden: true });
  function fail(detail) {
    node.textContent = detail ?? "";
    node.hidden = !detail;
    input.setAttribute("aria-describedby", [description, detail ? node.id : ""].join(" ").trim());
    if (detail) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  fail();
  return { node, fail };
}

function group(name, schema, schemas) {
  const inner = Object.entries(schema.properties).map(([key, each]) => [
    key, editor(key, each, schemas, schema.required?.includes(key)),
  ]);
  const editors = new Map(inner);
  const node = element("div", { class: "group" }, ...inner.map(([, each]) => each.node));
  return {
    node,
    read: () => Object.fromEntries(inner.map(([key, each]) => [key, each.read()])),
    fill: (value) => inner.forEach(([key, each]) => each.fill(value?.[key])),
    find: ([key, ...rest]) => editors.get(key)?.find(rest),
    fail: () => inner.forEach(([, each]) => each.fail()),
  };
}

/** Return a fieldset with parts that can be added and removed. `make(value)` returns a part. */
function several(name, noun, make) {
  const items = [];
  const place = element("div");
  const add = button(`Add ${noun}`, () => put(undefined).node.querySelector("input, select").focus(), {
    class: "plain-button",
  });
  const node = element("fieldset", { class: "several" }, element("legend", {}, title(name)), place, add);
  const { node: error, fail } = failure(node);
  node.append(error);
  function put(value) {
    const item = make(value);
    const remove = button("Remove", () => drop(item), { class: "plain-button", "aria-label": `Remove ${noun}` });
    item.row = element("div", { class: "item" }, item.node, remove);
    items.push(item);
    place.append(item.row);
    return item;
  }
  function drop(item) {
    items.splice(items.indexOf(item), 1);
    item.row.remove();
    add.focus();
    node.dispatchEvent(new Event("input", { bubbles: true }));
  }
  function fill(values) {
    items.splice(0);
    place.replaceChildren();
    values.forEach(put);
  }
  return { node, items, fill, fail };
}

function list(name, schema, schemas) {
  const noun = name.replace(/(e?)s$/, "$1").replace(/sse$/, "ss"); // addresses: address
  const made = several(name, noun, (value) => {
    const item = editor(name, schema.items, schemas);
    item.fill(value);
    return item;
  });
  const own = {
    node: made.node,
    read: () => made.items.map((each) => each.read()),
    fill: (value) => made.fill(value ?? []),
    fail(detail) {
      made.fail(detail);
      if (!detail) made.items.forEach((each) => each.fail());
    },
  };
  return { ...own, find: ([index, ...rest]) => (index === undefined ? own : made.items[index]?.find(rest)) };
}

function pairs(name, schema) {
  const made = several(name, "key", ([key, value] = ["", ""]) => pair(key, value, schema));
  const own = {
    node: made.node,
    read: () => Object.fromEntries(made.items.map((each) => each.read()).filter(([key]) => key)),
    fill: (value) => made.fill(Object.entries(value ?? {})),
    fail(detail) {
      made.fail(detail);
      if (!detail) made.items.forEach((each) => each.fail());
    },
  };
  const named = (key) => made.items.find((each) => each.read()[0] === key);
  return { ...own, find: ([key]) => (key === undefined ? own : named(key)) };
}

function pair(key, value, schema) {
  const { maxLength } = schema.propertyNames ?? {};
  const name = element("input", { value: key, maxLength, "aria-label": "Key", autocomplete: "off" });
  const content = element("input", { value, "aria-label": "Value", autocomplete: "off" });
  const { node: error, fail } = failure(content);
  const node = element("div", { class: "pair" }, name, content, error);
  return { node, fail, read: () => [name.value.trim(), content.value.trim()] };
}

/** Return the merge patch (RFC 7396) that makes `after` of `before`. */
export function patch(before, after) {
  const changes = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, value] = [before[key], after[key] ?? null];
    if (JSON.stringify(old ?? null) === JSON.stringify(value)) continue;
    changes[key] = isObject(old) && isObject(value) ? patch(old, value) : value;
  }
  return changes;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Return a document without its empty values, which a creation need not send. */
export function compact(document) {
  const isEmpty = (value) => value === null || (typeof value === "object" && !Object.keys(value).length);
  const clean = (value) => (isObject(value) ? compact(value) : Array.isArray(value) ? value.map(clean) : value);
  return Object.fromEntries(
    Object.entries(document).filter(([, value]) => !isEmpty(value)).map(([key, value]) => [key, clean(value)]),
  );
}

/** Show each error next to its value. Returns the errors that have no place in the form. */
export function showErrors(root, errors) {
  root.fail();
  return errors.filter(({ pointer, detail }) => {
    const keys = pointer?.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const target = keys && root.find(keys);
    target?.fail(detail);
    return !target;
  });
}
