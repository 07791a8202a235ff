// A customer's whole lifecycle, with hey-api's client for TypeScript.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import * as customers from "./generated";
import { client } from "./generated/client.gen";

const { API, TOKEN } = process.env;
client.setConfig({ baseUrl: API, auth: () => TOKEN });

async function main() {
  const body = { email: `${randomUUID()}@example.com`, given_name: "Ada" };
  const headers = { "Idempotency-Key": randomUUID() };
  const { data: created } = await customers.createCustomer({ body, headers });
  assert(created);
  const path = { customer_id: created.id };
  const { data: read, response } = await customers.getCustomer({ path });
  assert(read && response);

  const replaced = await customers.replaceCustomer({
    path,
    headers: { "If-Match": response.headers.get("ETag") ?? "" },
    body: { ...read, family_name: "Lovelace" },
  });
  assert(replaced.data);
  assert.equal(replaced.data.family_name, "Lovelace");

  const patched = await customers.patchCustomer({
    path,
    headers: { "If-Match": '"v2"' },
    body: { status: "inactive" },
  });
  assert(patched.data);
  assert.deepEqual([patched.data.version, patched.data.status], [3, "inactive"]);

  const page = await customers.getCustomers({ query: { email: body.email } });
  assert.deepEqual(page.data?.items.map((customer) => customer.id), [created.id]);

  assert.equal((await customers.deleteCustomer({ path })).response?.status, 204);
  const { error } = await customers.getCustomer({ path });
  assert(error);
  assert.equal(error.type, "/problems#customer-not-found");
  const restored = await customers.restoreCustomer({ path });
  assert(restored.data);
  assert.equal(restored.data.version, 5);
  assert.equal((await customers.eraseCustomer({ path })).response?.status, 204);
}

void main();
