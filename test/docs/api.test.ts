import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PROJECT } from "../requirements/requirements.ts";
import { apiReference } from "./api.ts";

test("docs/api.md is what the doc comments say (BACKOUT_WRITE_DOCS=1 writes it anew), and every export has one", async () => {
  const file = join(PROJECT, "docs", "api.md");
  const { page, undocumented } = await apiReference(PROJECT);
  expect(undocumented).toEqual([]);
  if (process.env["BACKOUT_WRITE_DOCS"] === "1") writeFileSync(file, page);
  expect(readFileSync(file, "utf8")).toBe(page);
});
