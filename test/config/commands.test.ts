import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { commandOf, OWN_ENGINE_VARIABLE, upCommand } from "../../config/commands.ts";

afterEach(() => void vi.unstubAllEnvs());

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
  vi.stubEnv("PATH", folderWithPulumi());
  vi.stubEnv(OWN_ENGINE_VARIABLE, undefined);
  expect(upCommand({ project: project(content), stack: "shop" })).toBe("pulumi up --stack shop");
});

test("who has no Pulumi, or only the one that backout keeps, runs it through backout", () => {
  vi.stubEnv("PATH", project(null));
  expect(upCommand({ project: project(null), stack: "shop" })).toBe("npx backout pulumi up --stack shop");
  vi.stubEnv("PATH", folderWithPulumi());
  vi.stubEnv(OWN_ENGINE_VARIABLE, "1");
  expect(upCommand({ project: project(null), stack: "shop" })).toBe("npx backout pulumi up --stack shop");
});

function folderWithPulumi(): string {
  const folder = project(null);
  writeFileSync(join(folder, "pulumi"), "", { mode: 0o755 });
  return folder;
}
