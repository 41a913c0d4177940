import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pageOf, readReliability } from "../../drill/reliability.ts";

const PROJECT = join(import.meta.dirname, "..", "..");

test("the page of reliability is what its figures make", () => {
  expect(readFileSync(join(PROJECT, "docs", "reliability.md"), "utf8")).toBe(pageOf(readReliability(PROJECT)));
});

test("every figure of a run is on the page", () => {
  const run = { date: "2031-02-03", commit: "abc1234", seed: "s-17" };
  const page = pageOf({
    torture: [{ ...run, system: "shop", rounds: 51, kills: 77, converged: 50, acknowledged: 96_123, lost: 3, lockedOut: 2 }],
    fuzz: { ...run, mutations: 2_468, rawErrors: 4, touched: 5 },
  });
  expect(page).toMatch(/\| shop +\| 2031-02-03 +\| abc1234 +\| s-17 +\| 51 +\| 77 +\| 50 +\| 96,123 +\| 3 +\| 2 +\|/);
  expect(page).toMatch(/\| 2031-02-03 +\| abc1234 +\| s-17 +\| 2,468 +\| 4 +\| 5 +\|/);
});
