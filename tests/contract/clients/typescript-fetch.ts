// A customer's whole lifecycle, with openapi-generator's client for TypeScript and fetch.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Configuration, CustomersApi, CustomerStatus, ResponseError } from "./generated";

const { API, TOKEN } = process.env;
const customers = new CustomersApi(new Configuration({ basePath: API, accessToken: TOKEN }));

async function main() {
  const email = `${randomUUID()}@example.com`;
  const customerCreation = { email, givenName: "Ada" };
  const created = await customers.createCustomer({ customerCreation, idempotencyKey: randomUUID() });
  const customerId = created.id;
  const response = await customers.getCustomerRaw({ customerId });
  const ifMatch = response.raw.headers.get("ETag") ?? "";

  const customerReplacement = { ...(await response.value()), familyName: "Lovelace" };
  const replaced = await customers.replaceCustomer({ customerId, ifMatch, customerReplacement });
  assert.equal(replaced?.familyName, "Lovelace");

  const customerPatch = { status: CustomerStatus.Inactive };
  const patched = await customers.patchCustomer({ customerId, ifMatch: '"v2"', customerPatch });
  assert.deepEqual([patched?.version, patched?.status], [3, "inactive"]);

  const page = await customers.getCustomers({ email });
  assert.deepEqual(page.items.map((customer) => customer.id), [customerId]);

  await customers.deleteCustomer({ customerId, ifMatch: '"v3"' });
  const missing: unknown = await customers.getCustomer({ customerId }).catch((error: unknown) => error);
  assert(missing instanceof ResponseError);
  assert.equal(missing.response.status, 404);
  assert.equal((await customers.restoreCustomer({ customerId }))?.version, 5);
  await customers.eraseCustomer({ customerId });
}

void main();
