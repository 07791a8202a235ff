// Reads [[pattern, flags], ...] as JSON; writes what each may cost.
const { checkSync } = require("recheck");
const { readFileSync } = require("node:fs");

const options = { seed: 1, attackTimeout: 2000, recallTimeout: -1, timeout: 60000 };
const verdicts = JSON.parse(readFileSync(0, "utf8")).map(([pattern, flags]) => {
  const { status, complexity, error } = checkSync(pattern, flags, options);
  return status === "safe" ? status : (complexity?.summary ?? error.kind);
});
console.log(JSON.stringify(verdicts));
