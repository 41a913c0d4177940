import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findProject, NoProjectError, PassphraseMissingError, prepareProject, projectFiles } from "../../../scripts/pulumi/project.ts";
import { scratch } from "./scratch.ts";

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe("a project", () => {
  it("is found from any folder in it, by its Pulumi.yaml alone", async () => {
    const { project } = await scratch();
    await mkdir(join(project, "a", "b"), { recursive: true });
    expect(findProject(join(project, "a", "b"))).toBe(project);
    expect(findProject(project)).toBe(project);
  });

  it("is missed with the folder that was asked for", async () => {
    const { root } = await scratch();
    expect(() => findProject(root)).toThrow(NoProjectError);
    expect(() => findProject(root)).toThrow(root);
  });
});

describe("state and passphrase", () => {
  it("are readable by their owner alone", async () => {
    const { project } = await scratch();
    const files = projectFiles(project);
    expect(await prepareProject(project, {})).toEqual([files.state, files.passphrase]);
    expect(await modeOf(files.state)).toBe(0o700);
    expect(await modeOf(files.passphrase)).toBe(0o600);
    expect((await readFile(files.passphrase, "utf8")).trim()).toMatch(/^[\w-]{43}$/);
  });

  it("are unchanged the second time, and a passphrase open to others is closed", async () => {
    const { project } = await scratch();
    const { passphrase } = projectFiles(project);
    await prepareProject(project, {});
    const first = await readFile(passphrase, "utf8");
    await chmod(passphrase, 0o644);
    expect(await prepareProject(project, {})).toEqual([]);
    expect(await readFile(passphrase, "utf8")).toBe(first);
    expect(await modeOf(passphrase)).toBe(0o600);
  });

  it("made by several at once are made once", async () => {
    const { project } = await scratch();
    const made = await Promise.all(Array.from({ length: 6 }, () => prepareProject(project, {})));
    expect(made.flat().filter((path) => path.endsWith("passphrase"))).toHaveLength(1);
  });

  it.each(["missing", "empty"] as const)("a passphrase that is %s while stacks need it is not replaced", async (problem) => {
    const { project } = await scratch();
    const { state, passphrase } = projectFiles(project);
    await prepareProject(project, {});
    await mkdir(join(state, ".pulumi", "stacks", "p"), { recursive: true });
    await writeFile(join(state, ".pulumi", "stacks", "p", "dev.json"), "{}");
    if (problem === "missing") await rm(passphrase);
    else await writeFile(passphrase, "");
    await expect(prepareProject(project, {})).rejects.toThrow(PassphraseMissingError);
    await expect(prepareProject(project, {})).rejects.toThrow(problem);
    expect(await readFile(passphrase, "utf8").catch(() => "")).toBe("");
  });

  it.each([
    ["PULUMI_BACKEND_URL", ["passphrase"]],
    ["PULUMI_ACCESS_TOKEN", ["passphrase"]],
    ["PULUMI_CONFIG_PASSPHRASE", ["state"]],
    ["PULUMI_CONFIG_PASSPHRASE_FILE", ["state"]],
  ] as const)("that %s replaces are not made", async (variable, left) => {
    const { project } = await scratch();
    const files = projectFiles(project);
    expect(await prepareProject(project, { [variable]: "the user's own" })).toEqual(left.map((name) => files[name]));
  });
});
