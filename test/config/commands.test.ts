import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { commandOf, upCommand } from "../../config/commands.ts";

function project(content: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), "backout-commands-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  if (content !== null) writeFileSync(join(folder, "package.json"), content);
  return folder;
}

test("where the project has a script for the tool, that is what is typed", () => {
  const own = project(JSON.stringify({ scripts: { pulumi: "node scripts/pulumi.ts" } }));
  expect(upCommand({ project: own, stack: "shop" })).toBe("npm run pulumi -- up --stack shop");
  expect(commandOf(own, "backout", "status --stack shop")).toBe("npx backout status --stack shop");
});

test.each([
  ["no package.json", null],
  ["one without scripts", "{}"],
  ["one that is no JSON", "{"],
])("in somebody's own program with %s the tools go by their names", (_, content) => {
  expect(upCommand({ project: project(content), stack: "shop" })).toBe("pulumi up --stack shop");
});
