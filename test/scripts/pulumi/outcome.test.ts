/** What a verb tells a terminal. */
import { expect, test } from "vitest";
import { saidIn } from "../../../scripts/pulumi/event-log.ts";
import { escaped, shown } from "../../../scripts/pulumi/outcome.ts";

test("control characters in a reason or a name do not reach the terminal; ends of lines do", () => {
  const text = "INC-1\u001b[2J\u001b]0;title\u0007 first\r\nsecond\u009b31m";
  expect(shown(text)).toBe("INC-1\\x1b[2J\\x1b]0;title\\x07 first\\x0d\nsecond\\x9b31m");
  expect(escaped("one\ntwo\u001b[31m")).toBe("one\\x0atwo\\x1b[31m");
});

test("of the engine's events only what was said counts, without its marks for colours", () => {
  const urn = "urn:pulumi:test::shop::backout:index:RollbackStack$backout:index:Fence::fence";
  const event = {
    sequence: 1,
    timestamp: 1,
    diagnosticEvent: { urn, severity: "info#err", message: "<{%fg 12%}>fence: protect\n<{%reset%}>" },
  };
  expect(saidIn(JSON.stringify(event))).toEqual({ urn, severity: "info", message: "fence: protect" });
  for (const line of ["", "{", "{}", JSON.stringify({ preludeEvent: {} })]) expect(saidIn(line)).toBeNull();
});
