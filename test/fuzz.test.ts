/** A short fuzz: some hundred mutations of stack files, names and definitions, a few of them by the verbs. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { unclean, uncleanError } from "../drill/fuzz/answer.ts";
import { fuzz } from "../drill/fuzz/fuzz.ts";
import { stacksOf } from "../scripts/verbs/drill-list.ts";
import { UsageError } from "../config/errors.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
/** Nothing is updated. */
const NO_ENGINE = { source: "path", folder: "/nowhere", pulumi: "/nowhere/pulumi", version: "0" } as const;

test("every mutation gets one clean answer, and nothing is touched", async () => {
  const said: string[] = [];
  const wish = {
    project: PROJECT,
    sources: await stacksOf(PROJECT, undefined),
    mutations: 300,
    seed: "a short one",
    verbs: 3,
    updates: 0,
    deployed: false,
  };
  const result = await fuzz(wish, NO_ENGINE, (line) => said.push(line));
  expect(result, said.join("\n")).toEqual({ mutations: 300, rawErrors: 0, touched: 0, findings: [] });
}, 120_000);

describe("what is no clean answer", () => {
  test.each([
    "",
    "TypeError: x",
    "Cannot read properties of undefined (reading 'a')",
    "ENOENT: no such file or directory, open '/x'",
    "it failed\n    at run (/a/b.ts:1:2)",
    "backout:data: undefined is not allowed",
    "\u001b[31mred",
    "x".repeat(2_000),
  ])("%j", (text) => expect(unclean(text)).not.toBeNull());

  test("an error that has no name of its own, though its words are clean", () => {
    expect(uncleanError(new Error("the file is not there"))).toMatch(/no refusal/);
    expect(uncleanError(new UsageError('--to "v9" is not in the ledger, which has v3'))).toBeNull();
  });
});
