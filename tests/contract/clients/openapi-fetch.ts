// A customer's whole lifecycle, with openapi-fetch and the types of openapi-typescript.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import createClient from "openapi-fetch";
import type { paths } from "./generated";

const { API, TOKEN } = process.env;
const { GET, POST, PUT, PATCH, DELETE } = createClient<paths>({
  baseUrl: API,
  headers: { Authorization: `Bearer ${TOKEN}` },
});

async function main() {
  const body = { email: `${randomUUID()}@example.com`, given_name: "Ada" };
  const header = { "Idempotency-Key": randomUUID() };
  const { data: created } = await POST("/customers", { body, params: { header } });
  assert(created);
  const path = { customer_id: created.id };
  const { data: read, response } = await GET("/customers/{customer_id}", { params: { path } });
  assert(read);

  const replaced = await PUT("/customers/{customer_id}", {
    params: { path, header: { "If-Match": response.headers.get("ETag") ?? "" } },
    body: { ...read, family_name: "Lovelace" },
  });
  assert.equal(replaced.data?.family_name, "Lovelace");

  const patched = await PATCH("/customers/{customer_id}", {
    params: { path, header: { "If-Match": '"v2"' } },
    body: { status: "inactive" },
  });
  assert.deepEqual([patched.data?.version, patched.data?.status], [3, "inactive"]);

  const page = await GET("/customers", { params: { query: { email: body.email } } });
  assert.deepEqual(page.data?.items.map((customer) => customer.id), [created.id]);

  const deleted = await DELETE("/customers/{customer_id}", { params: { path } });
  assert.equal(deleted.response.status, 204);
  const { error } = await GET("/customers/{customer_id}", { params: { path } });
  assert.equal(error?.type, "/problems#customer-not-found");
  const restored = await POST("/customers/{customer_id}/restore", { params: { path } });
  assert.equal(restored.data?.version, 5);
  const erased = await POST("/customers/{customer_id}/erase", { params: { path } });
  assert.equal(erased.response.status, 204);
}

void main();
