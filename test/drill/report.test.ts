// Longer than 300 lines: one made-up report is read, judged, shown and kept.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rehearsedSeconds } from "../../state/drill-reports/rehearsed.ts";
import { median, readHistory, timings } from "../../state/drill-reports/history.ts";
import { markdownReport } from "../../drill/report/markdown.ts";
import { page } from "../../drill/report/page.ts";
import { InvalidReportError, parseReport, type DrillReportInput } from "../../state/drill-reports/schema.ts";
import { summary, wantsColor } from "../../drill/report/summary.ts";
import { tickStep, timeline } from "../../drill/report/timeline.ts";
import { markdown, ofBudget } from "../../drill/report/words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";
import { writeReport } from "../../drill/report/write.ts";

function sample(changes: Partial<DrillReportInput> = {}): DrillReportInput {
  return {
    runId: "20260102-030405-ab12",
    system: "some-system",
    target: "process",
    scope: "restore",
    fault: "corrupting-writes",
    faultSeen: "3 of 20 rows differ from what was written",
    verdict: "passed",
    seconds: 20,
    startedAt: "2026-01-02T03:04:05.000Z",
    phases: [
      { name: "deploy", seconds: 5, budgetSeconds: null, status: "passed" },
      { name: "fence", seconds: 0.06, budgetSeconds: 120, status: "passed" },
      { name: "data", seconds: 4, budgetSeconds: 5, status: "passed", atSeconds: 10 },
      { name: "notify", seconds: 0, budgetSeconds: 0, status: "skipped" },
    ],
    rollback: {
      from: "v4.0.0",
      to: "v3.0.0",
      data: "before-v4.0.0@1",
      seconds: 3.2,
      cutOverMs: 41.5,
      unavailableMs: 1312,
      rowsAtRisk: { records: { inserted: 120, updated: 30, deleted: 4 } },
      rowsLost: 0,
      exported: [{ path: "exports/records.jsonl", sha256: "a".repeat(64), rows: 154 }],
    },
    checks: [
      { name: "health", status: "passed", detail: "200 in 3 ms" },
      { name: "banner", status: "skipped", detail: "not declared" },
    ],
    report: "reports/x/report.html",
    unavailableBetween: { fromSeconds: 10, toSeconds: 11.312 },
    previous: { data: { runs: 3, medianSeconds: 3.5, lastSeconds: 3.9 } },
    environment: { node: "v24" },
    ...changes,
  };
}

const rollback = (): NonNullable<DrillReportInput["rollback"]> => {
  const { rollback: value } = sample();
  if (value === null) throw new Error("the sample has a rollback");
  return value;
};

function problems(input: unknown): string {
  try {
    parseReport(input);
    return "";
  } catch (error) {
    if (error instanceof InvalidReportError) return error.problems.join("\n");
    throw error;
  }
}

const HOSTILE = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `</style></title></svg><a href="http://evil.example/">x</a>`,
  `a | b \`code\` **bold** [link](http://evil.example) <b> # @everyone`,
  `line one\nline two\r\n| injected | row |`,
  `\u001b[31mred\u0007 \u0000 \u202Egnp.exe \uD800 &amp; &#60;`,
  "",
];

/** Elements opened and closed in order; attributes quoted; nothing but text, elements and the doctype. */
function assertWellFormed(text: string): void {
  const open: string[] = [];
  const body = text.replace("<!DOCTYPE html>", "").replace(/<style>[^<]*<\/style>/, "");
  const rest = body.replace(
    /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*="[^"<>]*")*)\s*(\/?)>/g,
    (_, closing: string, name: string, __, single: string) => {
      if (closing) expect(open.pop(), `</${name}>`).toBe(name);
      else if (!single) open.push(name);
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]/);
  expect(rest.replace(/&(?:amp|lt|gt|quot|#39);/g, "")).not.toContain("&");
}

describe("a report that contradicts itself is refused", () => {
  const failedCheck = { name: "write", status: "failed" as const, detail: "500" };
  test.each<[string, Partial<DrillReportInput>, string]>([
    ["passed with a failed check", { checks: [...sample().checks, failedCheck] }, 'check "write" failed'],
    ["passed with lost rows", { rollback: { ...rollback(), rowsLost: 2 } }, "2 acknowledged rows were lost"],
    ["passed with a failed phase", { phases: [{ name: "data", seconds: 1, budgetSeconds: 5, status: "failed" }] }, 'phase "data" failed'],
    ["passed without a rollback", { rollback: null }, "there was no rollback"],
    ["passed without any check", { checks: [] }, "nothing was verified"],
    ["passed with nothing but skipped checks", { checks: [{ name: "a", status: "skipped", detail: "" }] }, "nothing was verified"],
    ["passed although the fault was never seen", { faultSeen: null }, "was never seen by its probe"],
    ["passed with a problem", { problem: "the drill could not be cleaned up" }, "could not be cleaned up"],
    [
      "a phase over its budget that passed",
      { phases: [{ name: "data", seconds: 6, budgetSeconds: 5, status: "passed" }] },
      "so it did not pass",
    ],
    ["failed for no reason", { verdict: "failed" }, "nothing says why"],
    ["a window that ends before it begins", { unavailableBetween: { fromSeconds: 3, toSeconds: 2 } }, "ends before it begins"],
    ["a time that is no number", { seconds: NaN }, "seconds"],
    ["a negative time", { seconds: -1 }, "seconds"],
    ["half a row", { rollback: { ...rollback(), rowsLost: 0.5 } }, "rollback.rowsLost"],
    ["a checksum that is none", { rollback: { ...rollback(), exported: [{ path: "x", sha256: "abc", rows: 1 }] } }, "must be a sha256"],
    ["an id that leads out of the folder", { runId: "../../etc" }, "runId"],
    ["an id that is the folder itself", { runId: "." }, "runId"],
    ["no time of start", { startedAt: "yesterday" }, "startedAt"],
  ])("%s", (_, changes, problem) => {
    expect(problems(sample(changes))).toContain(problem);
  });

  test("a failed drill may say why in any of the ways", () => {
    expect(problems(sample({ verdict: "failed", checks: [failedCheck] }))).toBe("");
    expect(problems(sample({ verdict: "failed", rollback: null, checks: [], phases: [], problem: "deploy failed" }))).toBe("");
    expect(problems(sample({ verdict: "failed", rollback: { ...rollback(), rowsLost: 1 } }))).toBe("");
    expect(problems(sample({ verdict: "failed", faultSeen: null }))).toBe("");
  });

  test("something that is no report at all", () => {
    expect(problems(null)).not.toBe("");
    expect(problems([])).not.toBe("");
    expect(problems("report")).not.toBe("");
  });
});

describe("the page", () => {
  const report = () => parseReport(sample());

  test("is well-formed and refers to nothing outside", () => {
    const text = page(report());
    assertWellFormed(text);
    expect(text).not.toMatch(/https?:|\/\/[a-z]|@import|url\(|<script|<link|<img|<iframe|\ssrc=|\shref=|\son[a-z]+=/i);
    expect(text).toContain("default-src 'none'");
    expect(text).toContain("prefers-color-scheme: dark");
    expect(text).toContain("@media print");
  });

  test("says status, budget and the unavailable time in words", () => {
    const text = page(report());
    for (const words of [
      "✓ passed",
      "– skipped",
      "2 min 00 s",
      "writes unavailable 1312 ms",
      "42 ms",
      "3.50 s (3), last 3.90 s",
      "120",
      "exports/records.jsonl",
    ])
      expect(text).toContain(words);
    const late = parseReport(sample({ verdict: "failed", phases: [{ name: "data", seconds: 6, budgetSeconds: 5, status: "failed" }] }));
    expect(page(late)).toContain("✗ failed, over budget");
  });

  test("a failed drill says why before everything else; times are of the day, cells say what they are", () => {
    const checks = [
      { name: "health", status: "passed" as const, detail: "200 in 3 ms" },
      { name: "no-lost-rows", status: "failed" as const, detail: "row 7 is <nowhere>" },
    ];
    const text = page(parseReport(sample({ verdict: "failed", checks })));
    assertWellFormed(text);
    expect(text).toContain("<li>check &quot;no-lost-rows&quot; failed: row 7 is &lt;nowhere&gt;</li>");
    expect(text.indexOf("Why it failed")).toBeLessThan(text.indexOf("<h2>Rollback</h2>"));
    expect(page(report())).not.toContain("Why it failed");
    // Ten seconds after the start, 03:04:05.
    expect(text).toMatch(/data-label="phase"><span>data<\/span><\/td><td class="figure" data-label="at \(UTC\)"><span>03:04:15</);
    expect(text).toMatch(/@media \(max-width: 40rem\)/);
  });

  test.each(HOSTILE)("keeps hostile text as text: %j", (text) => {
    const hostile = parseReport(everywhere(text));
    const made = page(hostile);
    assertWellFormed(made);
    expect(made).not.toMatch(/<script|<img|<a\s|\u0000|\u001b|\u202e/i);
  });

  test.each(["__proto__", "constructor", "toString"])("a name that every object has: %s", (name) => {
    assertWellFormed(page(parseReport(everywhere(name))));
    expect(summary(parseReport(everywhere(name)), { color: false })).not.toContain("NaN");
  });

  test("any text at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => assertWellFormed(page(parseReport(everywhere(text))))),
      { numRuns: 50 },
    );
  });

  test("of a drill that ended early, with nothing in it", () => {
    const empty = parseReport(
      sample({
        verdict: "failed",
        seconds: 0,
        phases: [],
        checks: [],
        rollback: null,
        unavailableBetween: null,
        previous: {},
        environment: {},
        problem: "no server",
      }),
    );
    assertWellFormed(page(empty));
    expect(page(empty)).toContain("The drill ended before its rollback.");
    expect(markdownReport(empty)).toContain("Problem: no server");
    expect(summary(empty, { color: false })).toContain("FAILED");
  });
});

/** The text in every place that takes one. */
function everywhere(text: string): DrillReportInput {
  const some = text === "" ? "x" : text;
  return sample({
    system: some,
    target: some,
    scope: some,
    fault: text,
    faultSeen: text,
    phases: [{ name: some, seconds: 1, budgetSeconds: 2, status: "passed" }],
    previous: { [some]: { runs: 1, medianSeconds: 1, lastSeconds: 1 } },
    checks: [{ name: some, status: "passed", detail: text }],
    environment: { [text]: text },
    rollback: {
      ...rollback(),
      from: text,
      to: text,
      data: text,
      rowsAtRisk: { [text]: { inserted: 1, updated: 1, deleted: 1 } },
      exported: [{ path: text, sha256: "b".repeat(64), rows: 1 }],
    },
  });
}

describe("the ticket", () => {
  test.each(HOSTILE)("keeps hostile text in its cell: %j", (text) => {
    const lines = markdownReport(parseReport(everywhere(text))).split("\n");
    const reference = markdownReport(parseReport(everywhere("x"))).split("\n");
    expect(lines).toHaveLength(reference.length);
    for (const line of lines) {
      expect(line).not.toMatch(/<[a-z/]/i);
      expect(line).not.toMatch(/(^|[^\w])@\w/);
    }
    const cells = (line: string): number => line.replace(/\\./g, "").split("|").length;
    expect(lines.map(cells)).toEqual(reference.map(cells));
  });

  test("leaves ordinary names readable", () => {
    expect(markdown("before-v4.0.0@1")).toBe("before-v4.0.0@1");
  });
});

describe("the timeline", () => {
  test("everything is to one scale", () => {
    const drawn = timeline(parseReport(sample()), 1000);
    expect(drawn.spanSeconds).toBe(20);
    expect(drawn.bars.map(({ x, width }) => [x, width])).toEqual([
      [0, 250],
      [250, 3],
      [500, 200],
      [700, 1],
    ]);
    expect(drawn.bars.map(({ budgetX, beyond }) => [budgetX, beyond])).toEqual([
      [null, false],
      [null, true],
      [750, false],
      [700, false],
    ]);
    expect(drawn.unavailable?.x).toBe(500);
    expect(drawn.unavailable?.width).toBeCloseTo(65.6);
    expect(drawn.ticks.map((tick) => tick.x)).toEqual([0, 250, 500, 750, 1000]);
  });

  test("a drill of no length, and phases that outlast it", () => {
    const none = timeline(parseReport(sample({ seconds: 0, phases: [], unavailableBetween: null })), 1000);
    expect(none).toMatchObject({ spanSeconds: 1, bars: [], unavailable: null });
    const long = timeline(
      parseReport(
        sample({ seconds: 1, unavailableBetween: null, phases: [{ name: "a", seconds: 40, budgetSeconds: null, status: "passed" }] }),
      ),
      1000,
    );
    expect(long.spanSeconds).toBe(40);
    expect(long.bars[0]?.width).toBe(1000);
  });

  test("steps are round, and never more than asked for", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e6, noNaN: true }), (span) => {
        const step = tickStep(span, 8);
        expect(span / step).toBeLessThanOrEqual(8.000001);
        expect(span / step).toBeGreaterThan(2);
        expect(["1", "2", "5"]).toContain(step.toExponential(3)[0]);
      }),
    );
  });
});

describe("in the terminal", () => {
  test("colours only for a terminal without NO_COLOR", () => {
    expect(wantsColor({ isTTY: true }, {})).toBe(true);
    expect(wantsColor({ isTTY: true }, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColor({ isTTY: true }, { NO_COLOR: "" })).toBe(true);
    expect(wantsColor({}, {})).toBe(false);
  });

  test("the same text with and without colours, and no control characters of others", () => {
    const bare = (text: string): string => text.replace(/\u001b\[\d+m/g, "");
    for (const text of ["x", ...HOSTILE]) {
      const report = parseReport(everywhere(text));
      const plain = summary(report, { color: false });
      expect(plain).not.toMatch(/[\u001b\u0007\u0000\u202e]/);
      expect(bare(summary(report, { color: true }))).toBe(plain);
    }
    expect(summary(parseReport(sample()), { color: true })).toContain("\u001b[32mPASSED\u001b[0m");
  });

  test("says of each table how many rows at risk were inserted, updated and deleted", () => {
    const text = summary(parseReport(sample()), { color: false });
    expect(text).toContain("\nRows at risk; exported in 1 files; lost: 0\n  records: 120 inserted, 30 updated, 4 deleted\n");
  });

  test("names what failed", () => {
    const failed = parseReport(sample({ verdict: "failed", checks: [{ name: "login", status: "failed", detail: "401 instead of 200" }] }));
    expect(summary(failed, { color: false })).toContain("failed login: 401 instead of 200");
    expect(summary(failed, { color: false })).toContain("Checks: 0 passed, 1 failed, 0 skipped");
  });

  test("figures in words", () => {
    expect([0, 0.0631, 12.34, 59.96, 65, 3600].map(inSeconds)).toEqual([
      "0.00 s",
      "0.06 s",
      "12.3 s",
      "1 min 00 s",
      "1 min 05 s",
      "60 min 00 s",
    ]);
    expect([null, 0.44, 1312.6, 65_000].map(inMilliseconds)).toEqual(["unknown", "0.4 ms", "1313 ms", "1 min 05 s"]);
    expect([ofBudget(1, null), ofBudget(0, 0), ofBudget(1, 0), ofBudget(0.1, 120), ofBudget(6, 5)]).toEqual([
      null,
      "0 %",
      "over",
      "under 1 %",
      "120 %",
    ]);
  });
});

describe("on disk", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "drill-reports-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const drill = (runId: string, changes: Partial<DrillReportInput> = {}) => writeReport(folder, sample({ runId, ...changes }));

  test("three files, of which the JSON is the report and nothing else", () => {
    const { report, json, html } = drill("run-1");
    expect(readdirSync(join(folder, "run-1")).sort()).toEqual(["report.html", "report.json", "report.md"]);
    expect(parseReport(JSON.parse(readFileSync(json, "utf8")))).toEqual(report);
    expect(report.report).toBe(html);
    expect(Object.keys(report).slice(0, 11)).toEqual([
      "runId",
      "system",
      "target",
      "scope",
      "fault",
      "verdict",
      "seconds",
      "phases",
      "rollback",
      "checks",
      "report",
    ]);
  });

  test("nothing is written of a report that is refused", () => {
    expect(() => drill("run-1", { faultSeen: null })).toThrow(InvalidReportError);
    expect(() => drill("../outside")).toThrow(InvalidReportError);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("no history is no fault", () => {
    expect(readHistory(join(folder, "none"))).toEqual({ reports: [], warnings: [] });
    expect(timings(readHistory(folder), "some-system", "restore")).toEqual({ runs: 0, phases: {}, rollback: null, unavailable: null });
    expect(median([])).toBeNull();
  });

  test("a preview goes by the newest passed drills of the scope: how long writes were away", () => {
    const project = mkdtempSync(join(tmpdir(), "backout-rehearsed-"));
    symlinkSync(folder, join(project, "reports"));
    const away = (unavailableMs: number | null) => ({ rollback: { ...rollback(), unavailableMs } });
    for (const [day, seconds] of [1, 2, 3, 4, 5, 6].entries())
      drill(`run-${day}`, { startedAt: `2026-01-0${day + 1}T00:00:00Z`, ...away(seconds * 1000) });
    drill("never-back", { startedAt: "2026-01-08T00:00:00Z", ...away(null) });
    drill("failed", { startedAt: "2026-01-09T00:00:00Z", verdict: "failed", problem: "it was cut off", ...away(90_000) });
    drill("other-scope", { startedAt: "2026-01-09T00:00:00Z", scope: "quick", ...away(90_000) });
    expect(rehearsedSeconds(project, "some-system", "restore")).toEqual([6, 5, 4, 3, 2]);
    expect(rehearsedSeconds(project, "some-system", null)).toEqual([]);
    expect(rehearsedSeconds(join(project, "none"), "some-system", "restore")).toEqual([]);
    rmSync(project, { recursive: true });
  });

  test("medians and last times of the drills that are alike, by the time they started", () => {
    const phase = (seconds: number, status: "passed" | "failed" = "passed") => ({
      phases: [{ name: "data", seconds, budgetSeconds: 100, status }],
    });
    drill("c", { startedAt: "2026-01-03T00:00:00Z", ...phase(9) });
    drill("a", { startedAt: "2026-01-01T00:00:00Z", ...phase(1) });
    drill("b", { startedAt: "2026-01-02T00:00:00+02:00", ...phase(3) });
    drill("d", { startedAt: "2026-01-04T00:00:00Z", ...phase(50, "failed"), verdict: "failed" });
    drill("other-scope", { scope: "quick", ...phase(70) });
    drill("other-system", { system: "another", ...phase(70) });
    const history = readHistory(folder);
    expect(history.warnings).toEqual([]);
    expect(timings(history, "some-system", "restore")).toEqual({
      runs: 3,
      phases: { data: { runs: 3, medianSeconds: 3, lastSeconds: 9 } },
      rollback: { runs: 3, medianSeconds: 3.2, lastSeconds: 3.2 },
      unavailable: { runs: 3, medianSeconds: 1.312, lastSeconds: 1.312 },
    });
    expect(timings(history, "some-system", "restore", "2026-01-03T00:00:00Z").phases.data).toEqual({
      runs: 2,
      medianSeconds: 2,
      lastSeconds: 3,
    });
  });

  test("damaged reports are left out with a warning each; folders of killed drills without", () => {
    drill("good");
    mkdirSync(join(folder, "killed"));
    writeFileSync(join(folder, "a-file"), "not a drill");
    for (const [name, text] of Object.entries({
      torn: '{"runId": "torn',
      empty: "",
      other: "[1, 2]",
      old: '{"runId": "old", "verdict": "passed"}',
    })) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "report.json"), text);
    }
    const { reports, warnings } = readHistory(folder);
    expect(reports.map((report) => report.runId)).toEqual(["good"]);
    expect(warnings).toHaveLength(4);
    for (const name of ["torn", "empty", "other", "old"])
      expect(warnings.some((warning) => warning.includes(join(name, "report.json")))).toBe(true);
  });
});
