import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ENGINE_VERSION } from "../../../scripts/pulumi/version.ts";
import { allowedSources, UnknownSourceError } from "../../../scripts/pulumi/sources.ts";
import { releasePeer, withoutReleasePeer } from "./release-peer.ts";
import { environment, runScript, scratch, script, standInGo, standInPulumi } from "./scratch.ts";

describe("the sources of the engine", () => {
  it("refuses a way that does not exist, naming it and what is allowed", () => {
    expect(() => allowedSources("path,brew")).toThrow(UnknownSourceError);
    expect(() => allowedSources("path,brew")).toThrow(/"brew".*path, release, build/);
  });

  it("keeps their order whatever order they are named in", () => {
    expect(allowedSources("build, path")).toEqual(["path", "build"]);
    expect(allowedSources("")).toEqual(["path", "release", "build"]);
  });

  it("fails with one error that names all three and why, and leaves nothing behind", async () => {
    const here = await scratch();
    // Nothing answers there: the download fails on any machine, also on one that could do it.
    const env = environment(here, { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" });
    const { code, stdout } = await runScript("setup.ts", ["--json"], { cwd: here.project, env });
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { name: string; message: string } };
    expect(error.name).toBe("NoEngineError");
    expect(error.message).toMatch(/path +there is no `pulumi` on the PATH/);
    expect(error.message).toMatch(/release +Failed to download/);
    expect(error.message).toMatch(/build +there is no `go` on the PATH/);
    expect((await readdir(here.cache)).filter((name) => name !== "path.json")).toEqual([]);
    expect(existsSync(join(here.project, ".backout"))).toBe(false);
  });

  it("says what Go said when the build fails, and that the other ways were left out", async () => {
    const here = await scratch();
    await script(join(here.bin, "go"), 'echo "go: updates to go.sum needed, disabled by -mod=readonly" >&2; exit 1');
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "build" });
    const { code, stderr } = await runScript("setup.ts", [], { cwd: here.project, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/build +go: updates to go.sum needed/);
    expect(stderr).toMatch(/release +BACKOUT_ENGINE_SOURCES leaves it out/);
  });

  it("does not keep what does not run", async () => {
    const here = await scratch();
    await standInGo(here, "segmentation fault");
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "build" });
    const { code, stderr } = await runScript("setup.ts", [], { cwd: here.project, env });
    expect(code).toBe(1);
    expect(stderr).toContain('says it is "segmentation fault"');
    expect(await readdir(here.cache)).toEqual([]);
  });

  it("installs the official release through the user's proxy, keeps it, and leaves nothing else behind", async (context) => {
    const missing = await withoutReleasePeer();
    if (missing !== null) return context.skip(missing);
    const here = await scratch();
    const peer = await releasePeer(here, ENGINE_VERSION);
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "release", ...peer.env });
    const { code, stdout, stderr } = await runScript("setup.ts", ["--json"], { cwd: here.project, env });
    expect(stderr).toContain(`Installing the official release of Pulumi ${ENGINE_VERSION}`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ engine: { version: ENGINE_VERSION, source: "release" } });
    const release = `/releases/sdk/pulumi-v${ENGINE_VERSION}-linux-x64.tar.gz`;
    expect(peer.asked).toEqual(["/install.sh", release]);
    expect(await readdir(here.cache)).toEqual([expect.not.stringContaining(".making-")]);

    const again = await runScript("setup.ts", ["--json"], { cwd: here.project, env });
    expect(again.code).toBe(0);
    expect(peer.asked).toHaveLength(2);
  });

  it("does not take a release of another version for the one it asked for", async (context) => {
    const missing = await withoutReleasePeer();
    if (missing !== null) return context.skip(missing);
    const here = await scratch();
    const peer = await releasePeer(here, "3.226.0");
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "release", ...peer.env });
    const { code, stderr } = await runScript("setup.ts", [], { cwd: here.project, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/release +.*404/s);
    expect(await readdir(here.cache)).toEqual([]);
  });

  it("takes a suitable pulumi of the PATH and makes nothing", async () => {
    const here = await scratch();
    await standInPulumi(here.bin, "v3.228.4");
    const { code, stdout } = await runScript("setup.ts", ["--json"], { cwd: here.project, env: environment(here) });
    expect(code).toBe(0);
    const { engine } = JSON.parse(stdout) as { engine: unknown };
    expect(engine).toEqual({ pulumi: join(here.bin, "pulumi"), folder: here.bin, version: "3.228.4", source: "path" });
  });

  it.each([
    ["is too old", "v3.190.0", true, /is 3\.190\.0; 3\.227\.0 or newer/],
    ["has no language host", "v3.259.0", false, /has no `pulumi-language-nodejs`/],
    ["answers nonsense", "hello", true, /answers `version` with "hello"/],
  ])("passes over a pulumi that %s", async (_, version, withHost, why) => {
    const here = await scratch();
    if (withHost) await standInPulumi(here.bin, version);
    else await script(join(here.bin, "pulumi"), `echo ${version}`);
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "path" });
    const { code, stderr } = await runScript("setup.ts", [], { cwd: here.project, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(why);
  });

  it("looks again at a pulumi of the PATH that was changed", async () => {
    const here = await scratch();
    const env = environment(here, { BACKOUT_ENGINE_SOURCES: "path" });
    await standInPulumi(here.bin, "v3.228.4");
    expect((await runScript("setup.ts", [], { cwd: here.project, env })).code).toBe(0);
    await writeFile(join(here.bin, "pulumi"), "#!/bin/sh\necho v3.100.0\n");
    expect((await runScript("setup.ts", [], { cwd: here.project, env })).code).toBe(1);
  });

  it("answers wrong usage with 2 and asked-for help with 0", async () => {
    const here = await scratch();
    const wrong = await runScript("setup.ts", ["--quick"], { cwd: here.project, env: environment(here) });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("--quick");
    const help = await runScript("setup.ts", ["--help"], { cwd: here.project, env: environment(here) });
    expect(help.code).toBe(0);
    expect(help.stdout).toContain("BACKOUT_ENGINE_SOURCES");
  });
});
