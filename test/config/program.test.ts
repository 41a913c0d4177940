import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeProgram } from "../../config/program.ts";

const SOURCES = join(import.meta.dirname, "..", "..");
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "backout-program-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, text: string): string {
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, text.replaceAll("SOURCES", SOURCES));
  return file;
}

test("a program that waits for the provider's version is described without an engine", async () => {
  const file = program(
    "waits",
    `import { startProvider } from "SOURCES/components/provider-version.ts";
     await (await startProvider()).running;
     export const definition = { name: "shop" };`,
  );
  expect(await describeProgram({ file, project: "shop", stack: "dev", config: {} })).toEqual({ name: "shop" });
});

test("two stacks of one program are described each with its own config", async () => {
  const file = program(
    "config",
    `import { Config } from "@pulumi/pulumi";
     export const definition = { name: new Config("shop").require("size") };`.replace(
      "@pulumi/pulumi",
      `${SOURCES}/node_modules/@pulumi/pulumi/index.js`,
    ),
  );
  const described = (stack: string, size: string) => describeProgram({ file, project: "shop", stack, config: { "shop:size": size } });
  expect(await described("dev", "small")).toEqual({ name: "small" });
  expect(await described("prod", "large")).toEqual({ name: "large" });
  expect(await described("dev", "small")).toEqual({ name: "small" });
});
