// A customer's whole lifecycle, with openapi-generator's client for TypeScript and axios.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { isAxiosError } from "axios";
import { Configuration, CustomersApi, CustomerStatus, type Problem } from "./generated";

const { API, TOKEN } = process.env;
const customers = new CustomersApi(new Configuration({ basePath: API, accessToken: TOKEN }));

async function main() {
  const email = `${randomUUID()}@example.com`;
  const { data: created } = await customers.createCustomer({ email, given_name: "Ada" }, randomUUID());
  const read = await customers.getCustomer(created.id);

  const replacement = { ...read.data, family_name: "Lovelace" };
  const replaced = await customers.replaceCustomer(created.id, read.headers["etag"], replacement);
  assert.equal(replaced.data.family_name, "Lovelace");

  const patch = { status: CustomerStatus.Inactive };
  const patched = await customers.patchCustomer(created.id, patch, '"v2"');
  assert.deepEqual([patched.data.version, patched.data.status], [3, "inactive"]);

  const page = await customers.getCustomers(undefined, 10, undefined, undefined, email);
  assert.deepEqual(page.data.items.map((customer) => customer.id), [created.id]);

  await customers.deleteCustomer(created.id, '"v3"');
  const missing: unknown = await customers.getCustomer(created.id).catch((error: unknown) => error);
  assert(isAxiosError<Problem>(missing));
  assert.equal(missing.response?.data.type, "/problems#customer-not-found");
  assert.equal((await customers.restoreCustomer(created.id)).data.version, 5);
  await customers.eraseCustomer(created.id);
}

void main();
