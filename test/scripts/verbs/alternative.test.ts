/**
 * A rollback that fails where the services run goes over to another target: with a real gate, a real process, and a `docker` command that
 * keeps containers.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { editPins, type PinEdit } from "../../../config/edit.ts";
import { GATE_PROCESS, stateFile, gateFolder, processFolder } from "../../../config/site.ts";
import { hashFolder } from "../../../processes/artefact.ts";
import { observeProcess, stopProcess } from "../../../processes/process.ts";
import { rollOut } from "../../../scripts/pulumi/roll-out.ts";
import { openStack, stackFile, type OpenStack } from "../../../scripts/pulumi/stack.ts";
import { otherWays, takeAlternative } from "../../../scripts/verbs/alternative.ts";
import { fakeDocker } from "../../workloads/fake-docker.ts";
import { IMAGE, newFolder } from "../../workloads/shop.ts";
import { update, type Registered, type State } from "./graph-engine.ts";
import { engine } from "./in-process.ts";
import { PROGRAM } from "./shop.ts";
import { freePort } from "../../support/free-port.ts";

vi.mock("../../../scripts/pulumi/pulumi-run.ts", async () => (await import("./in-process.ts")).pulumiRun);
vi.mock("../../../provider/session.ts", async () => (await import("./in-process.ts")).session);

const state: State = new Map();
let registered: Registered[] = [];

async function project(): Promise<string> {
  const folder = newFolder();
  mkdirSync(join(folder, "stacks"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: shop\nruntime: nodejs\nstackConfigDir: stacks\n");
  writeFileSync(join(folder, "index.ts"), `export { definition } from "${join(import.meta.dirname, "shop.ts")}";\n`);
  const releases: Record<string, unknown> = {};
  for (const [release, image] of [
    ["v1", IMAGE.v1],
    ["v2", IMAGE.v2],
  ] as const) {
    mkdirSync(join(folder, release));
    writeFileSync(join(folder, release, "main.ts"), `// ${release}\n${PROGRAM}`);
    const config = release === "v1" ? { BROKEN: join(folder, "broken") } : {};
    releases[release] = {
      schema: {},
      services: { api: { path: release, sha256: await hashFolder(join(folder, release)), image, config } },
    };
  }
  const config = {
    "backout:target": "process",
    "backout:ports": { api: await freePort(), "api-upstream": await freePort() },
    "backout:releases": releases,
    "backout:release": "v2",
    "backout:standby": "never",
    "backout:alternatives": {
      tag: { title: "a container of a tag", target: "docker" },
      container: { title: "the same release as a container", target: "docker", ports: { "api-upstream": await freePort() } },
    },
  };
  writeFileSync(join(folder, "stacks", "Pulumi.test.yaml"), stringify({ encryptionsalt: "none", config }));
  return folder;
}

test("a rollback that fails as a process is finished as a container of the image by digest", { timeout: 240_000 }, async () => {
  const folder = await project();
  const opened = (): Promise<OpenStack> => openStack(stackFile("test", folder));
  engine.up = async (runId) => {
    engine.runId = runId;
    const done = await update(await opened(), state);
    for (const state of engine.states.splice(0)) await state.end();
    registered = done.registered;
    return done;
  };
  const { site } = await opened();
  const docker = fakeDocker();
  const to = async (...edits: PinEdit[]) => {
    const before = await opened();
    return rollOut(before, editPins(before.text, edits), { runId: `run-${Math.random()}`, reason: null });
  };
  const latest = async () => {
    const state = await SqliteState.create(stateFile(site));
    const rollout = await state.lastRollout();
    return state.journal(rollout!.epoch).finally(() => state.end());
  };
  const served = async () => (await fetch(`http://127.0.0.1:${site.ports["api"]}/health`)).status;
  const alternative = async (name: string) => takeAlternative(await opened(), name, `run-${name}`, "INCIDENT-7", () => Promise.resolve());
  try {
    expect(await to()).toMatchObject({ ok: true, failure: null });
    await expect(alternative("container")).rejects.toThrow(/there is no failed rollback to finish/);
    writeFileSync(join(folder, "broken"), "");
    const failed = await to({ path: ["release"], value: "v1" });
    expect(failed).toMatchObject({ ok: false, refused: false, failure: expect.stringMatching(/^start: api v1 failed/) as string });
    expect(await served()).toBe(503);
    expect(otherWays(await opened()).map((way) => way.split("  ")[0])).toEqual([
      "npx backout rollback --stack test --alternative tag",
      "npx backout rollback --stack test --alternative container",
    ]);
    expect(otherWays(await opened(), "tag")).toHaveLength(1);

    // What the other target cannot run is refused by the plan: the stack stays where it is.
    await expect(alternative("constructor")).rejects.toThrow(/"constructor" is not one of tag, container/);
    await expect(alternative("container")).rejects.toThrow(
      /refused, nothing was changed:\nimage registry\.example\/api@sha256:1{64} of api v1 is not/,
    );
    expect((await opened()).config.target).toBe("process");
    docker.set({ pullable: [IMAGE.v1] });

    const { outcome, preview } = await alternative("container");
    expect(preview.preview).toMatchObject({ from: "v2", to: "v1", moves: { from: "process", to: "docker" } });
    expect(preview.lines.added.map((line) => line.trim())).toContain("backout:target: docker");
    expect(outcome).toMatchObject({ ok: true, state: "open", epoch: failed.epoch, from: "v2", to: "v1" });
    expect(outcome.checks).toMatchObject([{ name: "answers", status: "passed" }]);

    const image = registered.find(({ type }) => type === "docker:index/remoteImage:RemoteImage")!;
    expect(image.inputs).toMatchObject({ name: IMAGE.v1, keepLocally: true });
    expect(image.after).toEqual(["plan"]);
    expect(registered.find(({ name }) => name === "fence")!.after).toContain(image.name);
    expect(docker.named("test-api")).toMatchObject({ image: IMAGE.v1, running: true, restart: "unless-stopped" });
    expect(observeProcess(processFolder(site), "api").running).toBe(false);
    expect(await served()).toBe(200);

    // And by hand, the plain way: back to a process, while nothing else changes.
    rmSync(join(folder, "broken"));
    expect(await to({ path: ["target"], value: "process" })).toMatchObject({ ok: true, failure: null });
    expect(docker.named("test-api")).toMatchObject({ running: false });
    expect(observeProcess(processFolder(site), "api")).toMatchObject({ running: true, release: "v1" });
    expect(await served()).toBe(200);
    docker.set({ images: [], pullable: [] });
    const refused = await to({ path: ["target"], value: "docker" });
    expect(refused).toMatchObject({
      refused: true,
      failure: expect.stringMatching(/^image registry.example.* is not on this machine/) as string,
    });
    expect(observeProcess(processFolder(site), "api").running).toBe(true);
    // Release and target at once: what runs on the target that is left is stopped before anything else happens.
    docker.set({ images: [IMAGE.v2] });
    expect(await to({ path: ["release"], value: "v2" }, { path: ["target"], value: "docker" })).toMatchObject({ ok: true, failure: null });
    const stops = (await latest()).filter(({ step, status }) => step === "stop and confirm stopped" && status === "finished");
    expect(stops.map(({ detail }) => detail)).toEqual([{ stopped: ["api: already stopped", "api: terminated"] }]);
    expect(docker.named("test-api")).toMatchObject({ image: IMAGE.v2, running: true });
    expect(observeProcess(processFolder(site), "api").running).toBe(false);
  } finally {
    await stopProcess(processFolder(site), "api", 2_000).catch(() => undefined);
    if (existsSync(gateFolder(site))) await stopProcess(gateFolder(site), GATE_PROCESS, 5_000);
  }
});
