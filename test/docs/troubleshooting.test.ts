import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PROJECT } from "../requirements/requirements.ts";
import { literals } from "./literals.ts";

/** Messages of Pulumi, not of backout. */
const OF_PULUMI = ["the stack is currently locked"];

const FOLDERS = "{components,config,databases,processes,provider,rollout,scripts,state,traffic,workloads}";

test("the fixed words of every message in docs/troubleshooting.md are those of one source file", () => {
  const page = readFileSync(join(PROJECT, "docs", "troubleshooting.md"), "utf8");
  const messages = [...page.matchAll(/^### `(.+)`$/gm)].map(([, message]) => message!);
  expect(messages.length).toBeGreaterThan(50);
  expect(new Set(messages).size).toBe(messages.length);
  const sources = globSync(`${FOLDERS}/**/*.{ts,cjs}`, { cwd: PROJECT }).map((path) =>
    literals(join(PROJECT, path)).map(({ text }) => text),
  );
  const unknown = messages.filter((message) => {
    // What is left of a hole's neighbours is punctuation.
    const words = message
      .split("…")
      .map((part) => part.trim().replace(/^[:;,. ]+/, ""))
      .filter((part) => /[a-z]{2}/i.test(part));
    return !sources.some((texts) => words.every((word) => texts.some((text) => text.includes(word))));
  });
  expect(unknown.filter((message) => !OF_PULUMI.includes(message))).toEqual([]);
});
