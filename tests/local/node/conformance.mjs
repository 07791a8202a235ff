// The Data API server as AWS's SDK for JavaScript sees it; run by test_data_api_node.py.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as rds from "@aws-sdk/client-rds-data";

const client = new rds.RDSDataClient({
  endpoint: process.env.DATA_API_URL,
  region: "eu-central-1",
  credentials: {
    accessKeyId: process.env.DATA_API_ACCESS_KEY_ID,
    secretAccessKey: process.env.DATA_API_SECRET_ACCESS_KEY,
  },
  maxAttempts: 1,
});
const call = {
  resourceArn: process.env.RESOURCE_ARN,
  secretArn: process.env.SECRET_ARN,
  database: process.env.DATABASE,
};
const { database, ...arns } = call;

const execute = (sql, members = {}) =>
  client.send(new rds.ExecuteStatementCommand({ ...call, sql, ...members }));
const parameter = (name, value, typeHint) => ({ name, value, typeHint });
const row = async (sql, ...parameters) => (await execute(sql, { parameters })).records[0];

await execute("DROP TABLE IF EXISTS node_pets");
await execute("CREATE TABLE node_pets (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9) UNIQUE)");
after(() => execute("DROP TABLE node_pets"));

test("every kind of value comes back as what it was", async () => {
  const bytes = new Uint8Array([0, 39, 92, 128, 255]);
  const fields = await row(
    "SELECT :text, :long, :double, :bytes, :nothing, :date, :decimal",
    parameter("text", { stringValue: "' \\ :x 👩‍👧 ü" }),
    parameter("long", { longValue: Number.MAX_SAFE_INTEGER }),
    parameter("double", { doubleValue: -0.1 }),
    parameter("bytes", { blobValue: bytes }),
    parameter("nothing", { isNull: true }),
    parameter("date", { stringValue: "2024-02-29" }, "DATE"),
    parameter("decimal", { stringValue: "1.50" }, "DECIMAL"),
  );
  assert.deepEqual(fields, [
    { stringValue: "' \\ :x 👩‍👧 ü" },
    { longValue: Number.MAX_SAFE_INTEGER },
    { doubleValue: -0.1 },
    { blobValue: bytes },
    { isNull: true },
    { stringValue: "2024-02-29" },
    { stringValue: "1.50" },
  ]);
});

test("a boolean column is a boolean, a big integer a string when that is asked for", async () => {
  const sql = "SELECT CAST(b AS SIGNED), 9223372036854775807 FROM (SELECT TRUE AS b) AS one";
  const { records } = await execute(sql, { resultSetOptions: { longReturnType: "STRING" } });
  assert.deepEqual(records, [[{ stringValue: "1" }, { stringValue: "9223372036854775807" }]]);
  await execute("DROP TABLE IF EXISTS node_flags");
  await execute("CREATE TABLE node_flags (flag BOOL)");
  await execute("INSERT INTO node_flags VALUES (:f)", {
    parameters: [parameter("f", { booleanValue: true })],
  });
  assert.deepEqual(await row("SELECT flag FROM node_flags"), [{ booleanValue: true }]);
});

test("metadata and JSON have their members", async () => {
  const { columnMetadata } = await execute("SELECT name FROM node_pets", { includeResultMetadata: true });
  assert.equal(Object.keys(columnMetadata[0]).length, 14);
  const answer = await execute("SELECT 1 AS a, NULL AS b", { formatRecordsAs: "JSON" });
  assert.equal(answer.formattedRecords, '[{"a":1,"b":null}]');
  assert.equal(answer.records, undefined);
});

test("a write has its count and its id, and a batch one per set", async () => {
  const sql = "INSERT INTO node_pets (name) VALUES (:name)";
  const one = await execute(sql, { parameters: [parameter("name", { stringValue: "Rex" })] });
  assert.deepEqual([one.numberOfRecordsUpdated, one.generatedFields, one.records], [1, [{ longValue: 1 }], undefined]);
  const batch = await client.send(
    new rds.BatchExecuteStatementCommand({
      ...call,
      sql,
      parameterSets: ["Ada", "Tom"].map((name) => [parameter("name", { stringValue: name })]),
    }),
  );
  assert.deepEqual(batch.updateResults, [2, 3].map((id) => ({ generatedFields: [{ longValue: id }] })));
});

test("errors are the SDK's own classes", async () => {
  const missing = execute("SELECT :nobody");
  await assert.rejects(missing, (error) => error instanceof rds.BadRequestException);
  const unknown = execute("SELECT * FROM nowhere");
  await assert.rejects(unknown, (error) => {
    assert(error instanceof rds.DatabaseErrorException);
    assert.match(error.message, /Error code: 1146; SQLState: 42S02$/);
    return error.$metadata.httpStatusCode === 400 && error.$metadata.requestId.length === 36;
  });
  await assert.rejects(execute("SELECT SLEEP(9)"), (error) => {
    assert(error instanceof rds.StatementTimeoutException);
    return error.dbConnectionId > 0;
  });
  await assert.rejects(execute("SELECT POINT(1, 2)"), rds.UnsupportedResultException);
  await assert.rejects(execute("SELECT 1; SELECT 2"), { name: "ValidationException" });
  const elsewhere = { resourceArn: `${arns.resourceArn}-2` };
  await assert.rejects(execute("SELECT 1", elsewhere), rds.HttpEndpointNotEnabledException);
  const wrong = new rds.RDSDataClient({
    ...{ endpoint: process.env.DATA_API_URL, region: "eu-central-1", maxAttempts: 1 },
    credentials: { accessKeyId: process.env.DATA_API_ACCESS_KEY_ID, secretAccessKey: "wrong" },
  });
  const unsigned = wrong.send(new rds.BeginTransactionCommand(arns));
  await assert.rejects(unsigned, { name: "InvalidSignatureException" });
});

test("a transaction commits, rolls back, and ends once", async () => {
  const begin = async () => (await client.send(new rds.BeginTransactionCommand(call))).transactionId;
  const count = async () => (await row("SELECT COUNT(*) FROM node_pets"))[0].longValue;
  const before = await count();
  for (const [Command, status, added] of [
    [rds.RollbackTransactionCommand, "Rollback Complete", 0],
    [rds.CommitTransactionCommand, "Transaction Committed", 1],
  ]) {
    const transactionId = await begin();
    await execute("INSERT INTO node_pets (name) VALUES ('Ivy')", { transactionId });
    const { transactionStatus } = await client.send(new Command({ ...arns, transactionId }));
    assert.equal(transactionStatus, status);
    assert.equal(await count(), before + added);
    const again = client.send(new Command({ ...arns, transactionId }));
    await assert.rejects(again, rds.TransactionNotFoundException);
  }
});
