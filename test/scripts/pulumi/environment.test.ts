import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { engineEnvironment } from "../../../scripts/pulumi/engine.ts";
import type { Engine } from "../../../scripts/pulumi/environment.ts";
import { scratch } from "./scratch.ts";

const engine: Engine = { pulumi: "/engine/bin/pulumi", folder: "/engine/bin", version: "3.259.0", source: "build" };
const OWN = [
  "PULUMI_BACKEND_URL",
  "PULUMI_ACCESS_TOKEN",
  "PULUMI_CONFIG_PASSPHRASE",
  "PULUMI_CONFIG_PASSPHRASE_FILE",
  "NODE_COMPILE_CACHE",
];

describe("the engine's environment", () => {
  beforeEach(() => OWN.forEach((name) => vi.stubEnv(name, undefined)));
  afterEach(() => void vi.unstubAllEnvs());

  it("has the engine, then the project's Node, then everything else on the PATH", async () => {
    const { project } = await scratch();
    const path = engineEnvironment(engine, project).PATH?.split(delimiter);
    expect(path?.slice(0, 2)).toEqual(["/engine/bin", join(project, "node_modules", ".bin")]);
    expect(path?.at(-1)).toBe(process.env["PATH"]?.split(delimiter).at(-1));
  });

  it("points to the project's own state and passphrase", async () => {
    const { project } = await scratch();
    const env = engineEnvironment(engine, project);
    expect(env["PULUMI_BACKEND_URL"]).toBe(`file://${project}/.backout/state?metadata=skip`);
    expect(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).toBe(join(project, ".backout", "passphrase"));
    expect(env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"]).toBe("true");
  });

  it("leaves what the user has set, an empty passphrase too", async () => {
    const { project } = await scratch();
    vi.stubEnv("PULUMI_BACKEND_URL", "s3://team");
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "");
    vi.stubEnv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "false");
    const env = engineEnvironment(engine, project);
    expect(env["PULUMI_BACKEND_URL"]).toBe("s3://team");
    expect(env["PULUMI_CONFIG_PASSPHRASE"]).toBe("");
    expect(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).toBeUndefined();
    expect(env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"]).toBe("false");
  });

  it("takes an access token for Pulumi Cloud, over the backend that Pulumi.yaml names", async () => {
    const { project } = await scratch();
    vi.stubEnv("PULUMI_ACCESS_TOKEN", "pul-0");
    expect(engineEnvironment(engine, project)["PULUMI_BACKEND_URL"]).toBe("https://api.pulumi.com");
  });

  it("tells a built language host the runtime options, which it does not get from the engine", async () => {
    const { project } = await scratch();
    await writeFile(
      join(project, "Pulumi.yaml"),
      'name: p\nruntime: {name: nodejs, options: {typescript: false, nodeargs: "--require ./a b.cjs"}}\n',
    );
    const env = engineEnvironment(engine, project);
    expect(env["BACKOUT_LANGUAGE_TYPESCRIPT"]).toBe("false");
    expect(env["BACKOUT_LANGUAGE_NODEARGS"]).toBe("--require ./a b.cjs");
    await writeFile(join(project, "Pulumi.yaml"), "name: p\nruntime: nodejs\n");
    expect(engineEnvironment(engine, project)["BACKOUT_LANGUAGE_TYPESCRIPT"]).toBe("true");
  });
});
