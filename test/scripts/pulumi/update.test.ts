/** What a verb reads of the engine's events. */
import { appendFileSync, closeSync, openSync } from "node:fs";
import type { DiagnosticEvent } from "@pulumi/pulumi/automation/events.js";
import { expect, test, vi } from "vitest";
import { cannotWrite, diagnosticIn, eventIn, followEvents } from "../../../scripts/pulumi/event-log.ts";
import { failureOf } from "../../../scripts/pulumi/update.ts";

const urnOf = (type: string, name: string): string => `urn:pulumi:test::shop::backout:index:System$backout:index:${type}::${name}`;
const said = (message: string, urn: string | null, severity: DiagnosticEvent["severity"] = "error") =>
  diagnosticIn({
    sequence: 1,
    timestamp: 1,
    diagnosticEvent: { ...(urn === null ? {} : { urn }), severity, message, color: "raw" },
  })!;

test("a diagnostic is read without the engine's marks for colours", () => {
  const urn = urnOf("Fence", "fence");
  expect(said("<{%fg 12%}>fence: protect\n<{%reset%}>", urn, "info#err")).toEqual({ urn, severity: "info", message: "fence: protect" });
  expect(diagnosticIn({ sequence: 1, timestamp: 1, preludeEvent: { config: {} } })).toBeNull();
  expect(["", "{"].map(eventIn)).toEqual([null, null]);
});

test("events are followed to the end, also one whose line is written in parts", () => {
  const sequences: number[] = [];
  const events = followEvents(({ sequence }) => void sequences.push(sequence));
  const [, file] = events.arguments as [string, string];
  appendFileSync(file, '{"sequence": 1}\n{"sequ');
  appendFileSync(file, 'ence": 2}\n{"torn');
  expect(events.end()).toBeNull();
  expect(sequences).toEqual([1, 2]);
});

test("why an update failed is what was said of its resources, once and without the engine's frame", () => {
  const refused = said("backout:index:Plan resource 'plan' has a problem: no such snapshot\n", urnOf("Plan", "plan"));
  const made = said("1 error occurred:\n\t* start: api failed\n\nThe gate stays closed\n\n", urnOf("Start", "start"));
  const failed = said("update failed", null);
  expect(failureOf([refused, refused, failed], "")).toBe("no such snapshot");
  expect(failureOf([made, failed], "error: ignored")).toBe("start: api failed\nThe gate stays closed");
  expect(failureOf([said("update canceled", null)], "")).toBe("update canceled");
});

test("what is refused before the engine begins is printed; one that was killed says nothing", () => {
  expect(failureOf([], "error: the stack is currently locked by 1 lock(s)\n  held by pid 7\n")).toBe(
    "the stack is currently locked by 1 lock(s)\nheld by pid 7",
  );
  expect(failureOf([], "")).toMatch(/run the same command again/);
});

test("without a folder for temporary files it says which, and what to set", () => {
  vi.stubEnv("TMPDIR", "/nowhere/at/all");
  expect(() => followEvents(() => undefined)).toThrow(/\/nowhere\/at\/all \(ENOENT\): set TMPDIR/);
  vi.unstubAllEnvs();
});

test("a log that nothing more can be written to is noticed", () => {
  const file = openSync("/dev/full", "a");
  expect(cannotWrite(file)).toBe("ENOSPC");
  closeSync(file);
});
