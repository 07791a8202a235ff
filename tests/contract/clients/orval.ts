// A customer's whole lifecycle, with orval's client for fetch; zod checks each customer.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import * as customers from "./generated/client";
import * as schemas from "./generated/zod";

const { TOKEN } = process.env;
const authorized = (headers: Record<string, string> = {}) => ({
  headers: { Authorization: `Bearer ${TOKEN}`, ...headers },
});

async function main() {
  const email = `${randomUUID()}@example.com`;
  const creation = schemas.createCustomerBody.parse({ email, given_name: "Ada" });
  const key = authorized({ "Idempotency-Key": randomUUID() });
  const created = await customers.createCustomer(creation, key);
  assert(created.status === 201);
  const { id } = created.data;
  const read = await customers.getCustomer(id, undefined, authorized());
  assert(read.status === 200);
  schemas.getCustomerResponse.parse(read.data);

  const version = authorized({ "If-Match": read.headers.get("ETag") ?? "" });
  const replacement = { ...read.data, family_name: "Lovelace" };
  const replaced = await customers.replaceCustomer(id, replacement, version);
  assert(replaced.status === 200);
  assert.equal(replaced.data.family_name, "Lovelace");

  const patched = await customers.patchCustomer(id, { status: "inactive" }, authorized());
  assert(patched.status === 200);
  assert.deepEqual([patched.data.version, patched.data.status], [3, "inactive"]);

  const page = await customers.getCustomers({ email }, authorized());
  assert(page.status === 200);
  schemas.getCustomersResponse.parse(page.data);
  assert.deepEqual(page.data.items.map((customer) => customer.id), [id]);

  assert.equal((await customers.deleteCustomer(id, authorized())).status, 204);
  const missing = await customers.getCustomer(id, undefined, authorized());
  assert(missing.status === 404);
  assert.equal(missing.data.type, "/problems#customer-not-found");
  const restored = await customers.restoreCustomer(id, authorized());
  assert(restored.status === 200);
  assert.equal(restored.data.version, 5);
  assert.equal((await customers.eraseCustomer(id, authorized())).status, 204);
}

void main();
