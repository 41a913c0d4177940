/**
 * What `@pulumi/docker` does with plain Pulumi, by the real plugin where it is to be had and by the one that stands in for it elsewhere: both must
 * pass, so that other tests may use either.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { runPulumi, type PulumiOutcome } from "../../scripts/pulumi/pulumi-run.ts";
import { docker, dockerLines, makeImage, whyNoDocker, withDockerPlugin } from "../peers/docker.ts";
import { freePort } from "../support/free-port.ts";
import type { PeerArgs } from "./docker-peer/program.ts";

const LABEL = `peer-${process.pid}`;
const FILTER = ["--filter", `label=backout.test=${LABEL}`];
const IMAGE = `backout-peer-${process.pid}:1`;
const TOKEN = "no-eye-but-docker-sees-this";
const SCRIPT = [
  'echo "$RELEASE" >> /data/starts',
  '/bin/busybox httpd -f -p 8080 -h /data & trap "exit 0" TERM; while :; do wait; /bin/busybox sleep 0.1; done',
].join("\n");

interface Outputs {
  id: string;
  port: number;
  networks: string[];
  networkName: string;
  imageId: string;
}

let reason: string | null = null;
let folder: string;
let stack: EphemeralStack;
let imageId: string;

beforeAll(async () => {
  reason = whyNoDocker();
  if (reason !== null) return;
  imageId = makeImage({ script: SCRIPT, labels: { peer: LABEL }, name: IMAGE });
  folder = mkdtempSync(join(tmpdir(), "backout-peer-"));
  const source = join(folder, "source");
  mkdirSync(join(source, "stacks"), { recursive: true });
  const main = join(import.meta.dirname, "docker-peer", "program.ts");
  const runtime = { name: "nodejs", options: { typescript: false } };
  writeFileSync(join(source, "Pulumi.yaml"), stringify({ name: "peer", main, runtime, stackConfigDir: "stacks" }));
  writeFileSync(join(source, "stacks", "Pulumi.dev.yaml"), stringify({ config: {} }));
  const engine = await ensureEngine({ log: () => undefined });
  stack = await makeEphemeralStack({ project: source, stack: "dev", folder: join(folder, "project"), name: "peer", engine });
  await well("stack", "select", "--create");
});

beforeEach((context) => {
  if (reason !== null) context.skip(reason);
});

afterAll(async () => {
  if (reason !== null) return;
  if (stack !== undefined) await pulumi(["destroy", "--yes", "--skip-preview"]);
  for (const id of dockerLines("ps", "--all", "--quiet", ...FILTER)) docker("rm", "--force", "--volumes", id);
  for (const id of dockerLines("network", "ls", "--quiet", ...FILTER)) docker("network", "rm", id);
  for (const name of dockerLines("volume", "ls", "--quiet", ...FILTER)) docker("volume", "rm", name);
  docker("image", "rm", "--force", imageId);
  rmSync(folder, { recursive: true, force: true });
});

const pulumi = (given: string[], environment: NodeJS.ProcessEnv = {}): Promise<PulumiOutcome> =>
  runPulumi({
    project: stack.folder,
    stack: stack.stack,
    arguments: given,
    environment: { ...withDockerPlugin(stack.environment), ...environment },
  });

async function well(...given: string[]): Promise<string> {
  const { code, output } = await pulumi(given);
  expect(code, output).toBe(0);
  return output;
}

function declare(changes: Partial<PeerArgs> = {}): void {
  const args: PeerArgs = { label: LABEL, image: IMAGE, release: "v1", token: TOKEN, ...changes };
  const file = parse(readFileSync(stack.file, "utf8")) as { config?: object };
  writeFileSync(stack.file, stringify({ ...file, config: { "peer:args": args } }));
}

const up = (...more: string[]): Promise<string> => well("up", "--yes", "--skip-preview", ...more);
const refresh = (...more: string[]): Promise<string> => well("refresh", "--yes", "--skip-preview", "--diff", ...more);
const outputs = async (): Promise<Outputs> => JSON.parse(await well("stack", "output", "--json")) as Outputs;
const starts = async (): Promise<string[]> => {
  const answer = await fetch(`http://127.0.0.1:${(await outputs()).port}/starts`);
  return (await answer.text()).trim().split("\n");
};

/** What there is of the test's: containers by id, networks and volumes by number. */
const there = () => ({
  containers: dockerLines("ps", "--all", "--quiet", "--no-trunc", ...FILTER),
  networks: dockerLines("network", "ls", "--quiet", ...FILTER).length,
  volumes: dockerLines("volume", "ls", "--quiet", ...FILTER).length,
});
const NOTHING = { containers: [], networks: 0, volumes: 0 };

/** What happened to containers since then, in order: `start <id>`, `die <id>`. */
function events(sinceMs: number): string[] {
  const span = ["--since", (sinceMs / 1000).toFixed(3), "--until", ((Date.now() + 1) / 1000).toFixed(3)];
  return dockerLines("events", ...span, "--filter", `label=backout.test=${LABEL}`, "--format", "{{.Action}} {{.ID}}");
}

/** Everything the engine keeps of the stack. */
function stateText(): string {
  const state = join(stack.folder, ".backout", "state");
  return readdirSync(state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

async function fails(told: RegExp[], environment: NodeJS.ProcessEnv = {}): Promise<void> {
  const { code, output } = await pulumi(["up", "--yes", "--skip-preview"], environment);
  expect(code, output).not.toBe(0);
  for (const each of told) expect(output).toMatch(each);
  expect(output).not.toMatch(/^\s+at .+:\d+:\d+/m);
  expect(output).not.toContain(TOKEN);
}

test("without a daemon nothing is made, and it is said which one was asked", async () => {
  declare();
  const socket = join(folder, "nobody.sock");
  await fails([new RegExp(`daemon at unix://${socket}`)], { DOCKER_HOST: `unix://${socket}` });
  expect(there()).toEqual(NOTHING);
});

test("an image that nobody has is named, with what Docker said, and no container is left", async () => {
  const image = `127.0.0.1:${await freePort()}/nothing:1`;
  declare({ image });
  await fails([/image/, new RegExp(`unable to pull image ${image}`, "i"), /connection refused/]);
  expect(there().containers).toEqual([]);
  await well("destroy", "--yes", "--skip-preview");
  expect(there()).toEqual(NOTHING);
});

test("a name that is taken is named, and what has it is left alone", async () => {
  const name = `${LABEL}-taken`;
  const other = docker("create", "--name", name, imageId);
  try {
    declare({ name });
    await fails([/web/, new RegExp(`name "/${name}" is already in use`), /unable to create container/i]);
    expect(there().containers).toEqual([]);
    expect(docker("container", "inspect", "--format", "{{.Id}}", name)).toBe(other);
  } finally {
    docker("rm", "--force", other);
  }
});

test("an update makes what is declared; a second one and a refresh change nothing", async () => {
  declare();
  await up();
  const made = await outputs();
  expect(there()).toEqual({ containers: [made.id], networks: 1, volumes: 1 });
  expect(made).toMatchObject({ imageId, networks: [made.networkName] });
  expect(made.networkName).toMatch(/^net-[0-9a-f]{7}$/);
  expect(await starts()).toEqual(["v1"]);
  const inspected = docker("container", "inspect", "--format", "{{.Name}} {{json .Config.Env}} {{json .HostConfig.ExtraHosts}}", made.id);
  expect(inspected).toMatch(/^\/web-[0-9a-f]{7} /);
  expect(inspected).toContain(`"RELEASE=v1"`);
  expect(inspected).toContain(`"TOKEN=${TOKEN}"`);
  expect(inspected).toContain(`["elsewhere.example:127.0.0.9"]`);
  expect(stateText()).toContain(made.id);
  expect(stateText()).not.toContain(`TOKEN=${TOKEN}`);
  await up("--expect-no-changes");
  await refresh("--expect-no-changes");
});

test("another restart policy is set on the container that is there", async () => {
  const before = await outputs();
  declare({ restart: "on-failure" });
  await up();
  expect((await outputs()).id).toBe(before.id);
  expect(docker("container", "inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", before.id)).toBe("on-failure");
  expect(await starts()).toEqual(["v1"]);
});

test("another environment replaces the container: the old one goes first, and the volume stays", async () => {
  const before = await outputs();
  const since = Date.now();
  declare({ release: "v2" });
  await up();
  const after = await outputs();
  expect(there().containers).toEqual([after.id]);
  const seen = events(since);
  expect(seen.indexOf(`die ${before.id}`)).toBeGreaterThanOrEqual(0);
  expect(seen.indexOf(`die ${before.id}`)).toBeLessThan(seen.indexOf(`create ${after.id}`));
  expect(await starts()).toEqual(["v1", "v2"]);
});

test("where the program asks for it both run for a moment: the old one goes when the new one is healthy", async () => {
  const before = await outputs();
  const since = Date.now();
  declare({ release: "v3", keepsBoth: true });
  await up();
  const after = await outputs();
  expect(there().containers).toEqual([after.id]);
  const seen = events(since);
  expect(seen.indexOf(`start ${after.id}`)).toBeGreaterThanOrEqual(0);
  expect(seen.indexOf(`start ${after.id}`)).toBeLessThan(seen.indexOf(`die ${before.id}`));
  expect(await starts()).toEqual(["v1", "v2", "v3"]);
});

test("a refresh finds that somebody stopped the container, and an update makes it run again", async () => {
  const before = await outputs();
  docker("stop", "--time", "0", before.id);
  expect(await refresh()).toMatch(/mustRun/);
  await up();
  expect(await starts()).toEqual(["v1", "v2", "v3", "v3"]);
  expect(there().containers).toEqual([(await outputs()).id]);
});

test("a refresh finds that somebody removed the container, and an update makes it again", async () => {
  const before = await outputs();
  docker("rm", "--force", before.id);
  expect(await refresh()).toMatch(/- docker:index\/container:Container/);
  await up();
  const after = await outputs();
  expect(after.id).not.toBe(before.id);
  expect(there().containers).toEqual([after.id]);
  expect((await starts()).length).toBe(5);
});

test("destroy leaves nothing but the image that is kept", async () => {
  await well("destroy", "--yes", "--skip-preview");
  expect(there()).toEqual(NOTHING);
  expect(docker("image", "inspect", "--format", "{{.Id}}", IMAGE)).toBe(imageId);
});
