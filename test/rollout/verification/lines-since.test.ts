import { expect, test } from "vitest";
import { linesSince } from "../../../rollout/verification/lines-since.ts";

const SINCE = Date.parse("2026-01-01T00:00:10.000Z");
const line = (second: string, message: string): string =>
  JSON.stringify({ time: `2026-01-01T00:00:${second}.000Z`, level: "error", message });

test("what was written before the server came up is left out, with the lines that belong to it", () => {
  const lines = [
    line("05", "connect ECONNREFUSED"),
    "    at connect (net.js:1)",
    line("11", "division by zero"),
    "    at divide (main.js:2)",
  ];
  expect(linesSince(lines, SINCE)).toEqual(lines.slice(2));
});

test("lines of which nobody can say when they were written are kept", () => {
  const lines = ["Error: out of memory", '{"level":"error"}', "null", line("12", "later")];
  expect(linesSince(lines, SINCE)).toEqual(lines);
});
