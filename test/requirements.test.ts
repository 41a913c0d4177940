/** Runs after everything else: is every requirement shown by what really ran? */
import { globSync } from "node:fs";
import { relative } from "node:path";
import { expect, inject, test } from "vitest";
import { holes, testsSeen, whyPart } from "./requirements/judge.ts";
import { readDrills, readRan } from "./requirements/ran.ts";
import { PROJECT, readRequirements } from "./requirements/requirements.ts";

test("every requirement is shown by tests and drills of this run", (context) => {
  const folder = inject("ran");
  const ran = readRan(folder);
  const own = relative(PROJECT, import.meta.filename);
  const files = globSync("test/**/*.test.ts", { cwd: PROJECT }).filter((file) => file !== own);
  const part = whyPart(ran, files);
  if (part !== null) context.skip(part);
  expect(holes(readRequirements(), { tests: testsSeen(ran), drills: readDrills(folder) })).toEqual([]);
});
