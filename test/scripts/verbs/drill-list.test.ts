/** `backout drill --list` in a project whose program declares the system: no stack names it. */
import { expect, test } from "vitest";
import { ownProject } from "./own-project.ts";

test("the program tells the name of its system", async () => {
  const shop = await ownProject();
  await shop.backout(["release", "add", "v1", "dist/api"]);
  const { code, json, stderr } = await shop.backout<{ systems: unknown[] }>(["drill", "--list"]);
  expect(code, stderr).toBe(0);
  expect(json.systems).toMatchObject([{ system: "shop", faults: [] }]);
  const other = await shop.backout(["drill", "shpo"]);
  expect(other.json.error?.message).toMatch(/no stack of "shpo" in .*, only of shop \(did you mean `shop`\?\)$/);
});
