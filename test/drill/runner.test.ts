/** What a drill concludes from what it saw: pure, and each conclusion in both directions. */
import { describe, expect, test } from "vitest";
import {
  contentCheck,
  exportsCheck,
  failed,
  gateCheck,
  passed,
  quarantineCheck,
  releasesCheck,
  skipped,
  witnessChecks,
  type ExportFacts,
} from "../../drill/checks.ts";
import { contentDifferences } from "../../drill/contents.ts";
import { countMerged, total } from "../../drill/differences.ts";
import { Clock, within } from "../../drill/clock.ts";
import type { CheckResult } from "../../config/system/check.ts";
import { failureOf } from "../../drill/verbs.ts";
import { versionIn } from "../../drill/inspect-outside.ts";
import type { Judgement } from "../../drill/witness/judge.ts";

const samples = (...modes: (string | null)[]) => modes.map((mode, index) => ({ at: index * 100, mode }));

describe("the gate", () => {
  const times = { fencedAt: 150, verifiedAt: 450 };

  test("is in order when it is closed until verification has passed", () => {
    expect(gateCheck(times, samples("open", "closed", "closed", null, "closed", "open"), [50, 90, 500]).status).toBe("passed");
  });

  test.each([
    ["was open in between", times, samples("open", "closed", "open", "closed", "closed", "open"), []],
    ["let users read in between", times, samples("open", "closed", "read-only", "closed", "closed", "open"), []],
    ["was never seen closed", times, samples("open", "open", "open"), []],
    ["let a write through", times, samples("open", "closed", "closed", "closed", "closed", "open"), [50, 300]],
    ["was opened although verification never passed", { fencedAt: 150, verifiedAt: null }, samples("closed", "closed", "open"), []],
    ["has no journal to compare with", { fencedAt: null, verifiedAt: 450 }, samples("closed"), []],
  ])("fails when it %s", (_what, when, seen, writes) => {
    expect(gateCheck(when, seen, writes).status).toBe("failed");
  });
});

describe("the quarantine", () => {
  test("must exist and hold what the witness wrote", () => {
    expect(quarantineCheck({ name: "q", exists: true, witnessRows: 3 }).status).toBe("passed");
    expect(quarantineCheck({ name: "q", exists: true, witnessRows: 0 }).status).toBe("failed");
    expect(quarantineCheck({ name: "q", exists: false, witnessRows: 0 }).status).toBe("failed");
    expect(quarantineCheck({ name: null, exists: false, witnessRows: 0 }).status).toBe("failed");
  });
});

describe("exports", () => {
  const counts = { rows: { inserted: 2, updated: 1, deleted: 1 } };
  const sha256 = "a".repeat(64);
  const file = (kind: "jsonl" | "csv", rows: number, change: Partial<ExportFacts> = {}): ExportFacts => ({
    path: `x.${kind}`,
    table: "rows",
    kind,
    recorded: { sha256, rows },
    found: { sha256, rows, operations: kind === "jsonl" ? counts.rows : null },
    ...change,
  });

  test("hold exactly what was set aside", () => {
    expect(exportsCheck(counts, [file("jsonl", 4), file("csv", 3)], null).status).toBe("passed");
    expect(exportsCheck({ rows: { inserted: 0, updated: 0, deleted: 0 } }, [], null).status).toBe("passed");
  });

  test.each([
    ["there are none", []],
    ["only the readable copy is there", [file("csv", 3)]],
    ["a file is missing", [file("jsonl", 4, { found: null }), file("csv", 3)]],
    ["a file changed", [file("jsonl", 4, { found: { sha256: "b".repeat(64), rows: 4, operations: counts.rows } })]],
    ["the record tells other rows", [file("jsonl", 4, { recorded: { sha256, rows: 5 } })]],
    ["one row is of another kind", [file("jsonl", 4, { found: { sha256, rows: 4, operations: { inserted: 3, updated: 0, deleted: 1 } } })]],
    ["the readable copy is short", [file("jsonl", 4), file("csv", 2)]],
    ["a file is of no table", [file("jsonl", 4), file("csv", 3, { table: null })]],
  ])("fail when %s", (_what, files) => {
    expect(exportsCheck(counts, files, null).status).toBe("failed");
  });

  test("fail when the witness misses a change in them", () => {
    const judgement = { exports: { expected: 1, found: 0, missing: [{ id: "W-1", op: "insert", value: "v" }] } } as unknown as Judgement;
    expect(exportsCheck(counts, [file("jsonl", 4), file("csv", 3)], judgement).status).toBe("failed");
  });
});

describe("restored content", () => {
  const before = { a: { rows: 2, sum: "10" }, b: { rows: 1, sum: "5" } };

  test("is compared table by table", () => {
    expect(contentCheck(contentDifferences(before, before), 3).status).toBe("passed");
    expect(contentCheck(contentDifferences(before, { ...before, b: { rows: 1, sum: "6" } }), 3)).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("b have different content") as string,
    });
    expect(contentCheck(contentDifferences(before, { ...before, b: { rows: 0, sum: "0" } }), 3).status).toBe("failed");
    expect(contentCheck(contentDifferences(before, { a: before.a }), 3).detail).toBe("b is missing");
    expect(contentCheck(contentDifferences(before, { ...before, c: { rows: 0, sum: "0" } }), 3).status).toBe("failed");
    // Nothing to compare is no proof.
    expect(contentCheck([], 0).status).toBe("failed");
  });
});

describe("differences", () => {
  async function* rows(text: string): AsyncGenerator<{ key: string; content: string }, undefined> {
    for (const row of text.split(" ").filter(Boolean)) yield await Promise.resolve({ key: row[0]!, content: row.slice(1) });
  }

  test.each([
    ["", "", [0, 0, 0]],
    ["", "a1 b1", [2, 0, 0]],
    ["a1 b1", "", [0, 0, 2]],
    ["a1 b1 d1", "a1 b2 c1", [1, 1, 1]],
    ["a1 a1 b1", "a1 b1 b1", [1, 0, 1]],
  ])("between %j and %j", async (base, current, [inserted, updated, deleted]) => {
    const counts = await countMerged(rows(base), rows(current));
    expect(counts).toEqual({ inserted, updated, deleted });
    expect(total({ t: counts })).toBe(inserted! + updated! + deleted!);
  });
});

describe("releases from outside", () => {
  test("must be the pinned ones, and stopped ones must not answer", () => {
    expect(
      releasesCheck([
        { service: "a", pinned: "v1", seen: "v1" },
        { service: "w", pinned: null, seen: null },
      ]).status,
    ).toBe("passed");
    expect(releasesCheck([{ service: "a", pinned: "v1", seen: "v2" }]).status).toBe("failed");
    expect(releasesCheck([{ service: "a", pinned: "v1", seen: null }]).status).toBe("failed");
    expect(releasesCheck([{ service: "w", pinned: null, seen: "v1" }]).status).toBe("failed");
  });

  test("are read from health answers and pages", () => {
    expect(versionIn('{"status":"healthy","version":"v1"}', false)).toBe("v1");
    expect(versionIn("<html>", false)).not.toBe("v1");
    expect(versionIn('<meta name="version" content="v1" />', true)).toBe("v1");
    expect(versionIn("<html>", true)).not.toBeNull();
    expect(versionIn(null, true)).toBeNull();
  });
});

describe("the witness's judgement", () => {
  const clean = {
    acknowledged: { inserts: 5, updates: 0, deletes: 0 },
    accountedFor: { live: 2, quarantine: 3, export: 0, nowhere: 0 },
    lost: [],
    wrong: [],
    resurrected: [],
    problems: [],
  } as unknown as Judgement;
  const statuses = (change: object): string[] => witnessChecks({ ...clean, ...change }).map(({ status }) => status);

  test("turns each finding red", () => {
    expect(statuses({})).toEqual(["passed", "passed"]);
    expect(statuses({ lost: [{ id: "W-1" }] })).toEqual(["failed", "passed"]);
    expect(statuses({ wrong: [{ id: "W-1" }] })).toEqual(["passed", "failed"]);
    expect(statuses({ resurrected: [{ id: "W-1" }] })).toEqual(["passed", "failed"]);
    expect(statuses({ problems: ["a torn line"] })).toEqual(["passed", "failed"]);
    // A witness that saw nothing proves nothing.
    expect(statuses({ acknowledged: { inserts: 0, updates: 0, deletes: 0 } })).toEqual(["failed", "passed"]);
  });
});

test("a verb that failed says why: its error, what it refused, its failed checks, else what it wrote", () => {
  const said = (json: unknown, stderr = ""): string => failureOf("verify", 1, json, stderr);
  expect(said({ error: { message: "no such check" } }, "ignored")).toBe("`backout verify` ended with 1: no such check");
  expect(said({ refused: ["blocked", "frozen"] })).toBe("`backout verify` ended with 1: blocked; frozen");
  const checks = [passed("health", "200"), failed("login", "401"), failed("read", "500")];
  expect(said({ passed: false, checks }, "a line of progress")).toBe("`backout verify` ended with 1: failed checks: login, read");
  expect(said(null, "first\nlast\n")).toBe("`backout verify` ended with 1: first\nlast");
  expect(said(null)).toBe("`backout verify` ended with 1: no message");
});

describe("the clock", () => {
  test("a phase over its budget has not passed, one that throws or in which a check fails has failed", async () => {
    expect(within("passed", 2, 1)).toBe("failed");
    expect(within("passed", 1, 1)).toBe("passed");
    const begun: string[] = [];
    const checks: CheckResult[] = [failed("earlier", "of another phase")];
    const clock = new Clock(
      (phase) => void begun.push(phase),
      () => undefined,
      checks,
    );
    expect(await clock.phase("good", () => Promise.resolve(7))).toBe(7);
    await expect(clock.phase("bad", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    const checking = (check: CheckResult) => async (): Promise<void> => Promise.resolve(void checks.push(check));
    await clock.phase("skipping", checking(skipped("watch", "none")));
    await clock.phase("wrong", checking(failed("watch", "too slow")));
    await clock.phase("next", checking(passed("destroyed", "all")));
    expect(clock.phases.map(({ name, status }) => [name, status])).toEqual([
      ["good", "passed"],
      ["bad", "failed"],
      ["skipping", "passed"],
      ["wrong", "failed"],
      ["next", "passed"],
    ]);
    expect(begun).toEqual(["good", "bad", "skipping", "wrong", "next"]);
  });
});
