import { describe, expect, it } from "vitest";
import type { CheckContext, CheckDefinition, SystemDefinition } from "../../systems/definition.ts";
import { checksFor, runChecks } from "../../verification/checks.ts";
import { definition as pfa } from "../declared/sample.ts";

const order: string[] = [];
const check = (id: string, run: CheckDefinition["run"]): CheckDefinition => ({
  id,
  title: id,
  run: async (context) => {
    order.push(id);
    return run(context);
  },
});
const passed = async () => Promise.resolve({ status: "passed" as const, detail: "3 rows" });

const definition: SystemDefinition = {
  ...pfa,
  checks: [
    check("count", passed),
    check("read", async () => Promise.reject(new Error("connect ECONNREFUSED"))),
    check("odd", () => {
      // A check may throw anything.
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw "no error at all";
    }),
    check("write", async () => Promise.resolve({ status: "skipped", detail: "read-only" })),
  ],
  scopes: { one: { ...pfa.scopes["quick"]!, checks: ["write", "count"] } },
};

describe("the checks of a system", () => {
  it("those of the scope, in the system's order; all where no scope fits", () => {
    expect(checksFor(definition, "one")).toEqual(["count", "write"]);
    for (const scope of [null, "unknown"]) expect(checksFor(definition, scope)).toEqual(["count", "read", "odd", "write"]);
  });

  it("every check a scope of PFA Vanguard names exists", () => {
    const known = pfa.checks.map(({ id }) => id);
    for (const [scope, { checks }] of Object.entries(pfa.scopes))
      expect(
        checks.filter((id) => !known.includes(id)),
        scope,
      ).toEqual([]);
  });

  it("one that throws has failed, and the others still run", async () => {
    expect(await runChecks(definition, ["write", "odd", "read", "count"], {} as CheckContext)).toEqual([
      { name: "count", status: "passed", detail: "3 rows" },
      { name: "read", status: "failed", detail: "connect ECONNREFUSED" },
      { name: "odd", status: "failed", detail: "no error at all" },
      { name: "write", status: "skipped", detail: "read-only" },
    ]);
    expect(order).toEqual(["count", "read", "odd", "write"]);
  });

  it("only those asked for", async () => {
    expect((await runChecks(definition, ["count"], {} as CheckContext)).map(({ name }) => name)).toEqual(["count"]);
    expect(await runChecks(definition, [], {} as CheckContext)).toEqual([]);
  });
});
