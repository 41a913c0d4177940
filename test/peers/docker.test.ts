/** What stands in for the docker plugin, asked as the engine asks it, with a real daemon: what the tests with an engine do not come to. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Values } from "../../provider/resource.ts";
import { isSecret, secret } from "../../provider/wire.ts";
import { docker, dockerLines, dockerPlugin, makeImage, whyNoDocker, withDockerPlugin } from "./docker.ts";
import { durationOf, nanoseconds } from "./docker/durations.ts";
import { HalfMadeError } from "./docker/kind.ts";
import { PROVIDER } from "./docker/provider.ts";

const LABEL = `stand-in-${process.pid}`;
const LABELS = [{ label: "backout.test", value: LABEL }];
const FILTER = ["--filter", `label=backout.test=${LABEL}`];
const urn = (type: string, name = "it"): string =>
  `urn:pulumi:test::test::docker:index/${type[0]!.toLowerCase()}${type.slice(1)}:${type}::${name}`;
const CONTAINER = urn("Container");
/** Ends by itself a while after it was asked to. */
const WAITS = 'trap "/bin/busybox sleep 1; exit 7" TERM; while :; do /bin/busybox sleep 0.05; done';

let reason: string | null = null;
let image: string;

beforeAll(() => {
  reason = whyNoDocker();
  if (reason === null) image = makeImage({ script: WAITS, labels: { test: LABEL } });
});
afterEach(() => {
  if (reason !== null) return;
  for (const id of dockerLines("ps", "--all", "--quiet", ...FILTER)) docker("rm", "--force", "--volumes", id);
  for (const id of dockerLines("network", "ls", "--quiet", ...FILTER)) docker("network", "rm", id);
  for (const name of dockerLines("volume", "ls", "--quiet", ...FILTER)) docker("volume", "rm", name);
});
afterAll(() => {
  if (image !== undefined) docker("image", "rm", "--force", image);
});

async function checked(of: string, news: Values, olds: Values = {}): Promise<Values> {
  const answer = await PROVIDER.check(of, olds, news);
  expect(answer.failures).toEqual([]);
  return answer.inputs as Values;
}

async function made(of: string, news: Values): Promise<{ id: string; inputs: Values; outs: Values }> {
  const inputs = await checked(of, { labels: LABELS, ...news });
  const created = await PROVIDER.create(of, inputs);
  return { id: created.id, inputs, outs: created.outs as Values };
}

describe("what it is asked", () => {
  it("refuses an input that it does not know, and one that Docker would not take, by name", async () => {
    const { failures } = await PROVIDER.check(CONTAINER, {}, { image: "x", gpus: "all", restart: "sometimes", ports: [{ inside: 1 }] });
    expect(failures?.map(({ property }) => property).sort()).toEqual(["gpus", "ports.inside", "restart"]);
    expect((await PROVIDER.check(CONTAINER, {}, {})).failures).toEqual([{ property: "image", reason: "is missing" }]);
    await expect(PROVIDER.check(urn("Service"), {}, {})).rejects.toThrow(/it: .*has no docker:index\/service:Service, only/);
  });

  it("keeps a name that it chose, chooses another for a replacement, and takes a given one", async () => {
    const first = await checked(CONTAINER, { image: "x" });
    expect(first["name"]).toMatch(/^it-[0-9a-f]{7}$/);
    expect((await checked(CONTAINER, { image: "y" }, first))["name"]).toBe(first["name"]);
    expect((await checked(CONTAINER, { image: "y" }))["name"]).not.toBe(first["name"]);
    expect((await checked(CONTAINER, { image: "x", name: "given" }, first))["name"]).toBe("given");
  });

  it("replaces for what a container is made of, updates what can change, and sees what means the same", async () => {
    const olds = {
      image: "x",
      envs: ["A=1", "B=2"],
      user: "root",
      command: ["of the image"],
      ports: [
        { internal: 80, external: 49153, ip: "0.0.0.0", protocol: "tcp" },
        { internal: 443, external: 8443, ip: "127.0.0.1", protocol: "tcp" },
      ],
    };
    const asked = {
      image: "x",
      envs: ["B=2", "A=1"],
      ports: [{ internal: 443, external: 8443, ip: "127.0.0.1" }, { internal: 80 }],
    };
    const before = await checked(CONTAINER, olds);
    const diff = async (changes: Values) =>
      PROVIDER.diff("id", CONTAINER, before, await checked(CONTAINER, { ...asked, ...changes }, before));
    expect(await diff({})).toEqual({ changes: false, replaces: [], deleteBeforeReplace: false });
    for (const [property, value] of Object.entries({
      envs: ["A=1"],
      image: "y",
      user: "nobody",
      networkMode: "host",
      ports: [{ internal: 80 }],
    }))
      expect(await diff({ [property]: value }), property).toEqual({ changes: true, replaces: [property], deleteBeforeReplace: true });
    for (const [property, value] of Object.entries({
      restart: "always",
      destroyGraceSeconds: 3,
      mustRun: false,
      healthcheck: { retries: 3 },
    }))
      expect(await diff({ [property]: value }), property).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
  });

  it("makes the new network first where it chose the name, and last where that is given", async () => {
    const of = urn("Network");
    const diff = async (named: Values) => {
      const before = await checked(of, { ...named, driver: "bridge" });
      return PROVIDER.diff("id", of, before, await checked(of, { ...named, driver: "macvlan" }, before));
    };
    expect(await diff({})).toMatchObject({ replaces: ["driver"], deleteBeforeReplace: false });
    expect(await diff({ name: "given" })).toMatchObject({ replaces: ["driver"], deleteBeforeReplace: true });
  });

  it.each(["0s", "500ms", "1s", "1.5s", "1m0s", "1m30s", "1h0m5s"])("reads %s and writes it the same", (duration) => {
    expect(durationOf(nanoseconds(duration))).toBe(duration);
  });

  it("is found on the PATH of an engine where the real one is not", () => {
    const environment = { PATH: "/nowhere", PULUMI_HOME: "/nowhere" };
    const plugin = dockerPlugin(environment);
    expect(plugin).toMatchObject({ which: "stand-in" });
    expect(withDockerPlugin(environment)["PATH"]).toBe(`${plugin.folder}:/nowhere`);
    expect(dockerPlugin({ ...environment, PATH: `/nowhere:${plugin.folder}` })).toEqual(plugin);
  });
});

describe("with a Docker daemon", () => {
  beforeEach((context) => {
    if (reason !== null) context.skip(reason);
  });

  it("starts one without ports that has ended, in place, and says so before", async () => {
    const { id, inputs, outs } = await made(CONTAINER, { image });
    expect(await PROVIDER.diff(id, CONTAINER, outs, inputs)).toMatchObject({ changes: false });
    docker("kill", id);
    const props = (await PROVIDER.read(id, CONTAINER, outs)).props as Values;
    expect(props).toMatchObject({ mustRun: false, exitCode: 137 });
    expect(await PROVIDER.diff(id, CONTAINER, props, inputs)).toMatchObject({ changes: true, replaces: [] });
    const updated = await PROVIDER.update(id, CONTAINER, props, inputs);
    expect(updated.outs).toMatchObject({ mustRun: true, image });
    expect(docker("container", "inspect", "--format", "{{.State.Running}}", id)).toBe("true");
  });

  it("makes one with ports anew that has ended: its ports are gone", async () => {
    const { id, inputs, outs } = await made(CONTAINER, { image, ports: [{ internal: 80, ip: "127.0.0.1" }] });
    expect(outs["ports"]).toEqual([{ internal: 80, external: expect.any(Number) as number, ip: "127.0.0.1", protocol: "tcp" }]);
    docker("kill", id);
    const props = (await PROVIDER.read(id, CONTAINER, outs)).props as Values;
    expect(await PROVIDER.diff(id, CONTAINER, props, inputs)).toMatchObject({ replaces: ["ports"] });
  });

  it("hands the engine one that does not start, so that it can be removed, with its secrets still secret", async () => {
    const failed = made(CONTAINER, { image, command: ["/no/such/program"], envs: ["A=1", secret("TOKEN=hidden")] });
    await expect(failed).rejects.toThrow(/^it: create: unable to start container it-[0-9a-f]{7}: .*no such file/);
    const error = await failed.catch((error: unknown) => error as HalfMadeError);
    expect(error).toBeInstanceOf(HalfMadeError);
    const { id, properties } = error as HalfMadeError;
    expect(dockerLines("ps", "--all", "--quiet", "--no-trunc", ...FILTER)).toEqual([id]);
    expect((properties["envs"] as unknown[]).map(isSecret)).toEqual([false, true]);
    await PROVIDER.delete(id, CONTAINER, properties);
    expect(dockerLines("ps", "--all", "--quiet", ...FILTER)).toEqual([]);
    // Once more, as after an update that was killed.
    await PROVIDER.delete(id, CONTAINER, properties);
  });

  it("runs one in the machine's network, with an environment that is secret as a whole, and finds it as it was declared", async () => {
    const { id, inputs, outs } = await made(CONTAINER, { image, networkMode: "host", envs: secret(["A=1", "B=2"]), workingDir: "/tmp" });
    const props = (await PROVIDER.read(id, CONTAINER, outs)).props as Values;
    expect(props).toEqual(outs);
    expect(props).toMatchObject({ networkMode: "host", image, networkDatas: [{ networkName: "host" }], mustRun: true });
    expect(isSecret(props["envs"])).toBe(true);
    expect(await PROVIDER.diff(id, CONTAINER, props, inputs)).toMatchObject({ changes: false });
    expect(docker("container", "inspect", "--format", "{{json .Config.Env}}", id)).toContain(`"A=1","B=2"`);
  });

  it("ends a wait for a container that does not become healthy, and says so", async () => {
    const healthcheck = { tests: ["CMD", "/bin/busybox", "false"], interval: "100ms", retries: 1 };
    const failed = made(CONTAINER, { image, healthcheck, wait: true, waitTimeout: 1 });
    await expect(failed).rejects.toThrow("it: create: container failed to be in healthy state within 1 s");
    await expect(made(CONTAINER, { image, wait: true })).rejects.toThrow("wait is set, but the container has no healthcheck");
  });

  it.each([
    [0, "137"],
    [20, "7"],
  ])("with a grace of %i s it ends with %s", async (destroyGraceSeconds, code) => {
    const { id, outs } = await made(CONTAINER, { image, destroyGraceSeconds });
    const since = (Date.now() / 1000).toFixed(3);
    await PROVIDER.delete(id, CONTAINER, outs);
    expect(await PROVIDER.read(id, CONTAINER, outs)).toMatchObject({ id: "" });
    const span = ["--since", since, "--until", ((Date.now() + 1) / 1000).toFixed(3)];
    const died = dockerLines(
      "events",
      ...span,
      "--filter",
      `container=${id}`,
      "--filter",
      "event=die",
      "--format",
      "{{json .Actor.Attributes}}",
    );
    expect(died.map((line) => (JSON.parse(line) as { exitCode: string }).exitCode)).toEqual([code]);
  });

  it("reads one that somebody else made as it is, with the inputs that would make it", async () => {
    const id = docker("run", "--detach", "--label", `backout.test=${LABEL}`, "--restart", "always", "--user", "7", image);
    expect((await PROVIDER.read(id, CONTAINER, {})).inputs).toMatchObject({
      restart: "always",
      user: "7",
      name: expect.any(String) as string,
    });
  });

  it("finds an image by id and by name, and removes it unless it is kept", async () => {
    const of = urn("RemoteImage");
    const name = `backout-${LABEL}:1`;
    docker("tag", image, name);
    const withInputs = async (news: Values) => {
      const inputs = await checked(of, news);
      return PROVIDER.create(of, inputs);
    };
    expect((await withInputs({ name: image, keepLocally: true })).outs).toMatchObject({ imageId: image, repoDigest: "" });
    const kept = await withInputs({ name, keepLocally: true });
    expect(kept).toMatchObject({ id: image + name, outs: { imageId: image } });
    await PROVIDER.delete(kept.id, of, kept.outs as Values);
    expect(docker("image", "inspect", "--format", "{{.Id}}", name)).toBe(image);
    const given = await withInputs({ name });
    await PROVIDER.delete(given.id, of, given.outs as Values);
    expect(await PROVIDER.read(given.id, of, given.outs as Values)).toMatchObject({ id: "" });
    const nobodys = `sha256:${"0".repeat(64)}`;
    await expect(withInputs({ name: nobodys })).rejects.toThrow(`it: create: unable to pull image ${nobodys}: it is an id`);
  });

  it("refuses a network whose name is taken, and takes over a volume", async () => {
    const name = `${LABEL}-named`;
    await made(urn("Network"), { name });
    await expect(made(urn("Network", "other"), { name })).rejects.toThrow(new RegExp(`^other: create: .*${name} already exists`));
    const { id } = await made(urn("Volume"), { name });
    const second = await made(urn("Volume", "other"), { name });
    expect(second.id).toBe(id);
    expect(dockerLines("volume", "ls", "--quiet", ...FILTER)).toEqual([name]);
  });
});
