import { describe, expect, it, vi } from "vitest";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { CheckContext, CheckDefinition } from "../../../config/system/check.ts";
import { checksFor, runChecks } from "../../../rollout/verification/checks.ts";
import { definition as pfa } from "../../config/sample.ts";

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

  it("those that only ask together with their neighbours that do, and the results in their order", async () => {
    let asked = 0;
    const asking = (id: string): CheckDefinition => ({
      ...check(id, async () => {
        asked += 1;
        // None could end if one waited for another.
        await vi.waitUntil(() => asked === 2);
        return { status: "passed", detail: id };
      }),
      asks: true,
    });
    const checks = [
      asking("first"),
      asking("second"),
      check("alone", async () => Promise.resolve({ status: "passed", detail: String(asked) })),
    ];
    expect(await runChecks({ ...pfa, checks }, ["first", "second", "alone"], {} as CheckContext)).toEqual([
      { name: "first", status: "passed", detail: "first" },
      { name: "second", status: "passed", detail: "second" },
      { name: "alone", status: "passed", detail: "2" },
    ]);
  });
});
