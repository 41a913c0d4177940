import { readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environment, runScript, type Scratch, scratch, standInGo } from "./scratch.ts";

const setup = async (here: Scratch) => {
  const env = environment(here, { BACKOUT_ENGINE_SOURCES: "build" });
  const { code, stdout, stderr } = await runScript("setup.ts", ["--json"], { cwd: here.project, env });
  expect(code, stderr).toBe(0);
  return { stderr, pulumi: (JSON.parse(stdout) as { engine: { pulumi: string } }).engine.pulumi };
};
const countOf = async (builds: string) => (await readFile(builds, "utf8")).trim().split("\n").length;

describe("a kept engine", () => {
  it("is made once and used again", async () => {
    const here = await scratch();
    const builds = await standInGo(here);
    const first = await setup(here);
    const second = await setup(here);
    expect(second.pulumi).toBe(first.pulumi);
    expect(second.pulumi.startsWith(here.cache)).toBe(true);
    expect(await countOf(builds)).toBe(2);
    expect(second.stderr).toBe("");
  });

  it("is made again when a program is shorter than it was", async () => {
    const here = await scratch();
    const builds = await standInGo(here);
    const { pulumi } = await setup(here);
    await truncate(pulumi, 4);
    const again = await setup(here);
    expect(again.stderr).toMatch(/is damaged \(pulumi has 4 bytes instead of \d+\)/);
    expect(await countOf(builds)).toBe(4);
    expect(await readFile(again.pulumi, "utf8")).toContain("v3.259.0");
  });

  it("is made again when a byte differs and size and time do not", async () => {
    const here = await scratch();
    await standInGo(here);
    const { pulumi } = await setup(here);
    const { atime, mtime } = await stat(pulumi);
    const text = await readFile(pulumi, "utf8");
    await writeFile(pulumi, text.replace("v3.259.0", "v3.259.9"));
    await utimes(pulumi, atime, mtime);
    const again = await setup(here);
    expect(again.stderr).toContain("another sha256 sum");
    expect(await readFile(again.pulumi, "utf8")).toBe(text);
  });

  it("is made again when its manifest is torn", async () => {
    const here = await scratch();
    await standInGo(here);
    const { pulumi } = await setup(here);
    await writeFile(join(pulumi, "..", "..", "manifest.json"), '{"version": "3.2');
    expect((await setup(here)).stderr).toContain("its manifest.json cannot be read");
  });
});
