import { describe, expect, test } from "vitest";
import type { DrillReport } from "../../state/drill-reports/schema.ts";
import { holes, testsSeen, totals, whyPart, type Seen } from "./judge.ts";
import type { Ran } from "./ran.ts";
import { duplicates, parseRequirements } from "./requirements.ts";

const drill = (changes: Partial<DrillReport>): DrillReport => ({
  runId: "drill-1",
  system: "shop",
  target: "process",
  scope: "quick",
  fault: "errors",
  verdict: "passed",
  seconds: 20,
  phases: [
    { name: "rollback", seconds: 5, budgetSeconds: 600, status: "passed" },
    { name: "seed", seconds: 5, budgetSeconds: null, status: "passed" },
  ],
  rollback: null,
  checks: [
    { name: "health", status: "passed", detail: "" },
    { name: "banner", status: "skipped", detail: "" },
    { name: "watch", status: "passed", detail: "quick: 15 of 15 polls" },
  ],
  report: "",
  startedAt: "2026-01-01T00:00:00Z",
  faultSeen: "seen",
  problem: null,
  previous: {},
  unavailableBetween: null,
  environment: {},
  ...changes,
});

const seen: Seen = {
  tests: new Map([
    ["test/a.test.ts > works", "passed"],
    ["test/a.test.ts > breaks", "failed"],
    ["test/a.test.ts > rests", "skipped"],
  ]),
  drills: [drill({})],
};

const missing = (text: string): string[] => holes(parseRequirements(text), seen);
const shownBy = (evidence: string): string[] => missing(`- { id: shop.c.one, says: the shop is shut, shown_by: [${evidence}] }`);

describe("a requirement is shown", () => {
  test.each([
    '{ test: "test/a.test.ts > works" }',
    "{ check: shop/health }",
    "{ fault: shop/errors }",
    "{ scope: shop/quick }",
    "{ phase: shop/rollback }",
    "{ watch: shop/quick }",
  ])("by %s", (evidence) => {
    expect(shownBy(evidence)).toEqual([]);
  });
});

describe("a requirement is not shown", () => {
  test.each([
    ['{ test: "test/a.test.ts > is gone" }', "shop.c.one: no such test ran: test/a.test.ts > is gone"],
    ['{ test: "test/a.test.ts > breaks" }', "shop.c.one: failed: test/a.test.ts > breaks"],
    ['{ test: "test/a.test.ts > rests" }', "shop.c.one: skipped: test/a.test.ts > rests"],
    ["{ check: shop/banner }", "shop.c.one: check shop/banner: was always skipped"],
    ["{ check: shop/login }", "shop.c.one: check shop/login: no drill has reported it"],
    ["{ check: bank/health }", "shop.c.one: check bank/health: no drill of bank ran"],
    ["{ fault: shop/slow }", "shop.c.one: fault shop/slow: no drill of it passed"],
    ["{ watch: shop/stable }", "shop.c.one: watch shop/stable: no drill has reported it"],
    ["{ phase: shop/data }", "shop.c.one: phase shop/data: no drill has reported it"],
    ["{ phase: shop/seed }", "shop.c.one: phase shop/seed: no drill gave it a budget"],
  ])("by %s", (evidence, line) => {
    expect(shownBy(evidence)).toEqual([line]);
  });

  test("where one of several things that are to show it does not", () => {
    expect(shownBy('{ test: "test/a.test.ts > works" }, { check: shop/banner }')).toEqual([
      "shop.c.one: check shop/banner: was always skipped",
    ]);
  });

  test("unless that one was skipped on this machine, with something else that shows it", () => {
    const [works, rests, breaks] = ["works", "rests", "breaks"].map((name) => `{ test: "test/a.test.ts > ${name}" }`);
    expect(shownBy(`${works}, ${rests}`)).toEqual([]);
    expect(shownBy(`${rests}, ${breaks}`)).toHaveLength(1);
  });

  test("by a check that failed in one drill of several, or a phase over its budget", () => {
    const failing = drill({ verdict: "failed", checks: [{ name: "health", status: "failed", detail: "" }] });
    const slow = drill({ verdict: "failed", phases: [{ name: "rollback", seconds: 700, budgetSeconds: 600, status: "failed" }] });
    const entry = (evidence: string) => parseRequirements(`- { id: shop.c.one, says: the shop is shut, shown_by: [${evidence}] }`);
    const drills = [drill({}), failing, slow];
    expect(holes(entry("{ check: shop/health }"), { ...seen, drills })).toEqual(["shop.c.one: check shop/health: failed"]);
    expect(holes(entry("{ phase: shop/rollback }"), { ...seen, drills })).toEqual([
      "shop.c.one: phase shop/rollback: failed or over its budget",
    ]);
  });
});

describe("a requirement is one of three", () => {
  const entry = (rest: string): string => `- { id: shop.b.one, says: the shop is shut${rest} }\n`;
  const works = ', shown_by: [{ test: "test/a.test.ts > works" }]';

  test("only what is to be shown can be missing", () => {
    expect(missing(entry(", data: policy.roles") + entry(", data: [policy.roles, watches.stable]") + entry(", pending: notify"))).toEqual(
      [],
    );
  });

  test.each([
    ["none", ""],
    ["shown by nothing", ", shown_by: []"],
    ["recorded nowhere", ", data: []"],
    ["two of them", `${works}, data: policy.roles`],
    ["pending for any other reason", ", pending: no time"],
  ])("%s is refused", (_what, rest) => {
    expect(() => missing(entry(rest))).toThrow();
  });

  test("each is counted, and what this run did not show stands beside the whole", () => {
    const rest = entry(", data: policy.roles") + entry(", data: policy.classes") + entry(", pending: report");
    const breaks = entry(', shown_by: [{ test: "test/a.test.ts > breaks" }]');
    expect(totals(parseRequirements(entry(works) + rest), seen)).toBe("requirements: 1 shown, 2 data, 1 pending");
    expect(totals(parseRequirements(entry(works) + breaks + rest), seen)).toBe("requirements: 1 of 2 shown, 2 data, 1 pending");
  });
});

test("an id that stands there twice is found", () => {
  const entry = "- { id: shop.c.one, says: the shop is shut, pending: report }\n";
  expect(duplicates(parseRequirements(entry + entry))).toEqual(["shop.c.one"]);
});

describe("a run", () => {
  const ran: Ran = {
    pattern: null,
    files: {
      "test/a.test.ts": { errors: 0, tests: [{ name: "works", outcome: "passed" }] },
      "test/b.test.ts": { errors: 1, tests: [{ name: "works", outcome: "passed" }] },
      "test/c.test.ts": {
        errors: 0,
        tests: [
          { name: "twice", outcome: "failed" },
          { name: "twice", outcome: "passed" },
        ],
      },
    },
  };

  test("of two tests with one name the worse counts, and a file with errors has failed", () => {
    expect([...testsSeen(ran)]).toEqual([
      ["test/a.test.ts > works", "passed"],
      ["test/b.test.ts > works", "failed"],
      ["test/c.test.ts > twice", "failed"],
    ]);
  });

  test("says nothing of the whole where files are missing or tests were chosen by name", () => {
    const files = Object.keys(ran.files);
    expect(whyPart(ran, files)).toBeNull();
    expect(whyPart(ran, [...files, "test/d.test.ts"])).toBe("only part of the tests ran: 1 of 4 files are missing, test/d.test.ts first");
    expect(whyPart({ ...ran, pattern: "works" }, files)).toBe("only tests matching works ran");
  });
});
