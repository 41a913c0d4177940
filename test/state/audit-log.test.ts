import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { appendToAuditLog, brokenLinks, chainHead, chainProblems } from "../../state/audit-log.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-governance-"));
  file = join(folder, "records", "governance.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (count: number): void => {
  for (let epoch = 1; epoch <= count; epoch++)
    appendToAuditLog(file, {
      runId: `run-${epoch}`,
      epoch,
      event: "rollback",
      from: "v4.0.0",
      to: "v3.0.0",
      7: "seven",
      nothing: undefined,
    });
};
const lines = (): string[] => readFileSync(file, "utf8").trimEnd().split("\n");
const rewrite = (change: (lines: string[]) => string[]): void => writeFileSync(file, `${change(lines()).join("\n")}\n`);

describe("the audit log", () => {
  it("chains every line to the one before, readable by its owner alone", () => {
    write(4);
    const entries = lines().map((line) => JSON.parse(line) as { previous: string; hash: string; at: string; epoch: number });
    expect(entries.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(entries.map(({ previous }) => previous)).toEqual(["", ...entries.slice(0, 3).map(({ hash }) => hash)]);
    expect(new Set(entries.map(({ hash }) => hash)).size).toBe(4);
    expect(brokenLinks(file)).toEqual([]);
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  it("sees a line that was changed", () => {
    write(4);
    rewrite((all) => all.map((line, index) => (index === 1 ? line.replace("v4.0.0", "v4.0.1") : line)));
    expect(brokenLinks(file)).toEqual([2]);
  });

  it("sees a line that was changed and hashed anew", () => {
    write(3);
    const other = join(folder, "other.jsonl");
    appendToAuditLog(other, { runId: "run-1", epoch: 1, event: "rollback", to: "v2.0.0" });
    rewrite((all) => [readFileSync(other, "utf8").trimEnd(), ...all.slice(1)]);
    expect(brokenLinks(file)).toEqual([2]);
  });

  it.each([
    ["the first", 0, [1]],
    ["one in between", 1, [2]],
  ])("sees that a line is missing: %s", (_which, gone, broken) => {
    write(4);
    rewrite((all) => all.filter((_line, index) => index !== gone));
    expect(brokenLinks(file)).toEqual(broken);
  });

  it("sees a line that was put in, a second time or made up", () => {
    write(3);
    rewrite((all) => [all[0]!, all[0]!, ...all.slice(1)]);
    expect(brokenLinks(file)).toEqual([2]);
    rewrite((all) => [
      all[0]!,
      JSON.stringify({ at: "2025-01-01T00:00:00.000Z", runId: "made up", event: "rollback", previous: "", hash: "0" }),
      ...all.slice(2),
    ]);
    expect(brokenLinks(file)).toEqual([2, 3]);
  });

  it("sees two lines that changed places", () => {
    write(4);
    rewrite(([first, second, third, fourth]) => [first!, third!, second!, fourth!]);
    expect(brokenLinks(file)).toEqual([2, 3, 4]);
  });

  it("does not write the same run, rollout and event twice, and gives the hash it has", () => {
    const entry = { runId: "run-1", epoch: 1, event: "rollback" };
    const hash = appendToAuditLog(file, entry);
    appendToAuditLog(file, { ...entry, epoch: 2 });
    expect(appendToAuditLog(file, { ...entry, at: "later" })).toBe(hash);
    appendToAuditLog(file, { ...entry, event: "verification" });
    appendToAuditLog(file, { ...entry, runId: "run-2" });
    expect(lines()).toHaveLength(4);
    expect(brokenLinks(file)).toEqual([]);
  });

  it("a line cut off by a kill is told, and the next entry still gets in", () => {
    write(2);
    appendFileSync(file, '{"at":"2025-11-28T00:00:00.000Z","runId":"run-');
    expect(brokenLinks(file)).toEqual([3]);
    appendToAuditLog(file, { runId: "run-4", epoch: 4, event: "rollback" });
    expect(lines()).toHaveLength(4);
    expect(brokenLinks(file)).toEqual([3]);
    appendToAuditLog(file, { runId: "run-5", epoch: 5, event: "rollback" });
    expect(brokenLinks(file)).toEqual([3]);
  });

  it("no log, nothing broken", () => {
    expect(brokenLinks(file)).toEqual([]);
  });

  it("sees that lines at its end are missing, or are others, by what is kept of its end", () => {
    write(4);
    const head = chainHead(file);
    expect(chainProblems(file, head)).toEqual([]);
    write(5);
    expect(chainProblems(file, head), "it may have gone on").toEqual([]);
    rewrite((all) => all.slice(0, 3));
    expect(brokenLinks(file), "the chain alone does not show it").toEqual([]);
    expect(chainProblems(file, head)).toEqual(["it has 3 lines and had 4: lines at its end are missing"]);
    appendToAuditLog(file, { runId: "run-9", epoch: 9, event: "rollback" });
    expect(chainProblems(file, head)).toEqual(["line 4 differs from the one that was written"]);
    rewrite(() => []);
    expect(chainProblems(file, head)).toEqual(["it has 0 lines and had 4: lines at its end are missing"]);
  });
});
