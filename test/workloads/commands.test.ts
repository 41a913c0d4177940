/** Services that are any program: run in a copy of their release, built before anything stops, with an environment that they understand. */
// Longer than 300 lines: one stand, whose services each test starts.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { ServicePin } from "../../config/pins.ts";
import { copiesFolder, processFolder, servicesRole, type Site } from "../../config/site.ts";
import type { ServiceDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { hashFolder, verifyArtefact } from "../../processes/artefact.ts";
import { lookUp } from "../../processes/identity.ts";
import { BackgroundError, NeverHealthyError, runningNames, stopProcess } from "../../processes/process.ts";
import { cannotRun, prepareAll, targetOf } from "../../workloads/index.ts";
import { BuildFailedError, makeCopy } from "../../workloads/release-copy.ts";
import { environmentOf } from "../../workloads/starting.ts";
import { endLater, startGroup, until } from "../processes/machine.ts";
import { newSite, shop } from "./shop.ts";

const sites: Site[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) for (const name of runningNames(processFolder(site))) await stopProcess(processFolder(site), name, 0);
  Reflect.deleteProperty(process.env, "BACKOUT_SECRET_SHOP_API");
});

async function machine(): Promise<Site> {
  const site = await newSite({ target: "process" });
  sites.push(site);
  return site;
}

/** The shop whose service is this program. */
function running(changes: Partial<ServiceDefinition>): SystemDefinition {
  const definition = shop(changes);
  for (const key of ["environment", "health"] as const) if (!(key in changes)) Reflect.deleteProperty(definition.services["api"]!, key);
  return definition;
}

/** A release folder with these files, executable. */
async function release(site: Site, name: string, files: Record<string, string>): Promise<ServicePin> {
  const path = join(site.project, "builds", name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
    chmodSync(join(path, file), 0o755);
  }
  return { release: name, run: true, config: {}, artefact: { path, sha256: await hashFolder(path) } };
}

const WAIT = "while :; do sleep 0.05; done";
const output = (site: Site): string => readFileSync(join(processFolder(site), "api.out.log"), "utf8");
const has = (site: Site, text: string) => until(() => output(site).includes(text));

test("a command runs in a copy: what it writes beside itself leaves the release as it was", async () => {
  const site = await machine();
  const pin = await release(site, "v1", {
    "app/run.sh": `#!/bin/sh\necho in $PWD as $BACKOUT_RELEASE\ndate > written\necho ready\n${WAIT}\n`,
  });
  const definition = running({ command: ["./run.sh"], cwd: "app", databases: [] });
  const target = targetOf(site, definition);
  expect(await cannotRun(site, definition, { services: { api: pin } })).toEqual([]);
  expect(existsSync(copiesFolder(site)), "looking touches nothing").toBe(false);
  await prepareAll(site, definition, { services: { api: pin } });
  expect([await target.install("api", pin), await target.start("api", pin)]).toEqual(["v1 in place", "started"]);
  await has(site, "ready");
  expect(output(site)).toMatch(new RegExp(`in ${copiesFolder(site)}/[0-9a-f]{16}/files/app as v1`));
  await verifyArtefact({ path: pin.artefact.path!, sha256: pin.artefact.sha256! });
  expect(await target.observe("api")).toMatchObject({ running: true, release: "v1" });
  expect(await target.start("api", pin)).toBe("already");
  expect(await target.stop("api")).toBe("terminated");
  await target.confirmStopped(["api"]);
  // A released file that was changed in the copy comes back; what the program wrote stays.
  const [copy = ""] = readdirSync(copiesFolder(site)).filter((name) => !name.endsWith(".lock"));
  const file = join(copiesFolder(site), copy, "files", "app", "run.sh");
  await target.install("api", pin);
  expect(existsSync(join(dirname(file), "written"))).toBe(true);
  writeFileSync(file, "#!/bin/sh\necho altered\n");
  await target.install("api", pin);
  expect(readFileSync(file, "utf8")).toContain("ready");
});

test("a program that is missing or not executable, and a folder that is not there, are refused by name before anything is touched", async () => {
  const site = await machine();
  const pin = await release(site, "v1", { "run.sh": `#!/bin/sh\n${WAIT}\n` });
  const { path } = pin.artefact;
  const why = (changes: Partial<ServiceDefinition>) => cannotRun(site, running({ databases: [], ...changes }), { services: { api: pin } });
  expect(await why({ command: ["no-such-server"] })).toEqual([
    `definition.services.api.command: "no-such-server" not found, neither on the PATH nor in ${path}: install it on this machine, or correct the name`,
  ]);
  expect(await why({ command: ["./rnu.sh"] })).toEqual([
    `definition.services.api.command: "./rnu.sh" not found in ${path}: correct the name, or add the file to the release`,
  ]);
  expect(await why({ command: ["./run.sh"], cwd: "nowhere" })).toEqual([
    `definition.services.api.cwd: ${path}/nowhere is not a folder of the release: correct it, or add the folder to the release`,
  ]);
  expect(await why({ entry: "mian.ts" })).toEqual([
    `definition.services.api.entry: "mian.ts" not found in ${path}: correct the name, or add the file to the release`,
  ]);
  expect(await why({ command: ["sh"], health: { command: ["no-such-check"], timeoutMs: 1_000 } })).toEqual([
    expect.stringContaining('definition.services.api.health.command: "no-such-check" not found'),
  ]);
  expect(await why({ command: ["made/by/it"], build: ["no-such-make"] })).toEqual([
    expect.stringContaining('definition.services.api.build: "no-such-make" not found'),
  ]);
  expect(await why({ command: ["made/by/it"], build: ["sh"] }), "a build may make it").toEqual([]);
  expect(await why({ command: ["here"], environment: () => ({ PATH: "/nowhere" }) })).toEqual([
    expect.stringContaining('"here" not found'),
  ]);
  chmodSync(join(path!, "run.sh"), 0o644);
  expect(await why({ command: ["./run.sh"] })).toEqual([expect.stringContaining(`${path}/run.sh is not executable: run \`chmod +x`)]);
  const off = { services: { api: { ...pin, run: false } } };
  expect(await cannotRun(site, running({ command: ["no-such-server"] }), off), "what is off needs nothing").toEqual([]);
  expect(existsSync(copiesFolder(site))).toBe(false);
});

test("permissions that are corrected in the release reach a copy that was made before", async () => {
  const site = await machine();
  const pin = await release(site, "v1", { "run.sh": `#!/bin/sh\n${WAIT}\n` });
  chmodSync(join(pin.artefact.path!, "run.sh"), 0o644);
  await prepareAll(site, running({ command: ["sh", "run.sh"], databases: [] }), { services: { api: pin } });
  chmodSync(join(pin.artefact.path!, "run.sh"), 0o755);
  const definition = running({ command: ["./run.sh"], databases: [] });
  await prepareAll(site, definition, { services: { api: pin } });
  expect(await targetOf(site, definition).start("api", pin)).toBe("started");
});

test("a build runs once per artefact and build, before anything is started; its output is told and kept", async () => {
  const site = await machine();
  const files = {
    "build.sh": `#!/bin/sh\necho compiling $BUILD_SECRET\necho x >> ${site.project}/built\nprintf '#!/bin/sh\\n${WAIT}\\n' > serve\nchmod +x serve\n`,
  };
  const pin = await release(site, "v1", files);
  const definition = running({ command: ["./serve"], build: ["./build.sh"], databases: [] });
  const told: string[] = [];
  const builds = () => readFileSync(join(site.project, "built"), "utf8").split("\n").length - 1;
  const prepare = (of = definition, as = pin) =>
    prepareAll(site, of, { services: { api: as, worker: { ...as, run: false } } }, (line) => told.push(line));
  process.env["BUILD_SECRET"] = "s3cret-of-the-starter";
  try {
    await prepare();
  } finally {
    delete process.env["BUILD_SECRET"];
  }
  expect(told).toEqual([
    "build api v1: `./build.sh`",
    "build api v1: | compiling",
    expect.stringMatching(/^build api v1: done in \d+\.\d s$/),
  ]);
  const [copy = ""] = readdirSync(copiesFolder(site)).filter((name) => !name.endsWith(".lock"));
  expect(readFileSync(join(copiesFolder(site), copy, "build.log"), "utf8")).toBe("compiling\n");
  await verifyArtefact({ path: pin.artefact.path!, sha256: pin.artefact.sha256! });
  const target = targetOf(site, definition);
  expect(await target.start("api", pin)).toBe("started");
  await target.stop("api");
  await prepare();
  expect(builds()).toBe(1);
  // Another build of the same artefact, from the definition or the ledger, is another copy.
  await prepare(running({ command: ["./serve"], build: ["./build.sh", "again"], databases: [] }));
  await prepare(definition, { ...pin, artefact: { ...pin.artefact, build: ["sh", "build.sh"] } });
  expect(builds()).toBe(3);
  // Gone: made again before anything stops, and where a service is only started.
  rmSync(copiesFolder(site), { recursive: true });
  await prepare();
  rmSync(copiesFolder(site), { recursive: true });
  expect(await target.start("api", pin)).toBe("started");
  expect(builds()).toBe(5);
});

test("copies are kept for the last releases of every service, and older ones are made again", async () => {
  const site = await machine();
  const definition = running({ command: ["./run.sh"], databases: [] });
  const copies = (): number => readdirSync(copiesFolder(site)).filter((name) => !name.endsWith(".lock")).length;
  const pins = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => release(site, `v${n}`, { "run.sh": `#!/bin/sh\n# ${n}\n${WAIT}\n` })));
  for (const api of pins) await prepareAll(site, definition, { services: { api } });
  expect(copies()).toBe(5);
  await prepareAll(site, definition, { services: { api: pins[0]! } });
  expect(await targetOf(site, definition).start("api", pins[0]!)).toBe("started");
  expect(copies()).toBe(5);
});

test("a build that fails is refused with its last lines, and is built anew the next time; what it left running is ended", async () => {
  const site = await machine();
  const pin = await release(site, "v1", {
    "build.sh": `sh -c 'echo $$ > ${site.project}/left; ${WAIT}' &\nwhile [ ! -s ${site.project}/left ]; do sleep 0.02; done\necho no compiler >&2\ntest -e ${site.project}/fixed\n`,
  });
  const definition = running({ command: ["sh"], build: ["sh", "build.sh"], databases: [] });
  const failed = prepareAll(site, definition, { services: { api: pin } });
  await expect(failed).rejects.toThrow(BuildFailedError);
  await expect(failed).rejects.toThrow(
    /^the build of api v1 \(`sh build\.sh`\) failed with code 1, .*build\.log; its last lines:\n {2}no compiler$/,
  );
  expect(lookUp(Number(readFileSync(join(site.project, "left"), "utf8")))).toBeNull();
  writeFileSync(join(site.project, "fixed"), "");
  await prepareAll(site, definition, { services: { api: pin } });
  await expect(prepareAll(site, definition, { services: { api: pin } })).resolves.toBeUndefined();
});

test("a build whose update was killed is ended, and made anew", async () => {
  const site = await machine();
  const script = `test -e ${site.project}/again && exit 0\necho $$ > ${site.project}/pid\n${WAIT}\n`;
  const pin = await release(site, "v1", { "build.sh": script });
  const described = running({ command: ["sh"], build: ["sh", "build.sh"], databases: [] }).services["api"]!;
  const module = new URL("../../workloads/release-copy.ts", import.meta.url).href;
  const update = startGroup(`import { makeCopy } from ${JSON.stringify(module)};
    await makeCopy({ ...${JSON.stringify({ site, service: "api", described, pin })}, tell: () => undefined });`);
  const file = join(site.project, "pid");
  const build = endLater(Number(await until(() => existsSync(file) && readFileSync(file, "utf8").trim())));
  process.kill(update.pid, "SIGKILL");
  await until(() => lookUp(update.pid) === null);
  expect(lookUp(build), "it outlives its update").not.toBeNull();
  writeFileSync(join(site.project, "again"), "");
  expect(await makeCopy({ site, service: "api", described, pin, tell: () => undefined })).toBe("made");
  expect(lookUp(build)).toBeNull();
});

test("a program gets its port, its databases, its release and its configuration; what the definition says wins", async () => {
  const site = await machine();
  const pin: ServicePin = { release: "v7", run: true, config: { MODE: "fast", PORT: "1" }, artefact: {} };
  const env = (changes: Partial<ServiceDefinition>, of = pin): Record<string, string> => environmentOf(site, running(changes), "api", of);
  const url = new RegExp(`^postgresql://${servicesRole(site)}:.+@127\\.0\\.0\\.1:5432/shop$`);
  expect(env({ command: ["sh"] })).toEqual({
    BACKOUT_RELEASE: "v7",
    PORT: "1",
    MODE: "fast",
    DATABASE_URL: expect.stringMatching(url) as string,
  });
  const plain = { ...pin, config: {} };
  expect(env({ command: ["sh"], databases: [] }, plain)).toEqual({ BACKOUT_RELEASE: "v7", PORT: String(site.ports["api"]) });
  expect(env({ command: ["sh"], databases: ["shop", "my-audit"] }, plain)).toMatchObject({
    SHOP_DATABASE_URL: expect.stringMatching(url) as string,
    MY_AUDIT_DATABASE_URL: expect.stringMatching(/\/my_audit$/) as string,
  });
  const own = () => ({ DATABASE_URL: "elsewhere", PORT: "2" });
  expect(env({ command: ["sh"], environment: own })).toMatchObject({ DATABASE_URL: "elsewhere", PORT: "2", BACKOUT_RELEASE: "v7" });
  expect(env({ entry: "main.ts" }, plain), "a program for Node gets what its definition says").toEqual({});
});

test("a role of its own: its secret is asked for by name, and only where the password is used", async () => {
  const site = await machine();
  const pin: ServicePin = { release: "v1", run: true, config: {}, artefact: {} };
  const definition = running({ command: ["sh"], databaseRole: "shop_api" });
  expect(() => environmentOf(site, definition, "api", pin)).toThrow(
    /the secret "shop_api" is not set: set the environment variable BACKOUT_SECRET_SHOP_API/,
  );
  process.env["BACKOUT_SECRET_SHOP_API"] = "p:w/d";
  expect(environmentOf(site, definition, "api", pin)["DATABASE_URL"]).toBe("postgresql://shop_api:p%3Aw%2Fd@127.0.0.1:5432/shop");
  const whole = running({
    command: ["sh"],
    databaseRole: "shop_api",
    databaseSecret: "unset",
    environment: () => ({ DATABASE_URL: "whole" }),
  });
  expect(environmentOf(site, whole, "api", pin)["DATABASE_URL"]).toBe("whole");
});

test("health by a command in the service's folder and environment, or by its port", async (context) => {
  if (spawnSync("python3", ["--version"]).status !== 0) return context.skip("no python3 on this machine");
  const site = await machine();
  const pin = await release(site, "v1", { "run.sh": `#!/bin/sh\nsleep 0.2\necho well > state\n${WAIT}\n` });
  const health = { command: ["sh", "-c", 'echo seen as $BACKOUT_RELEASE; grep -q "$WANTED" state'], timeoutMs: 20_000 };
  const definition = running({
    command: ["./run.sh"],
    databases: [],
    health,
    environment: ({ config }) => ({ WANTED: config["WANTED"] ?? "well" }),
  });
  const target = targetOf(site, definition);
  expect(await target.start("api", pin)).toBe("started");
  expect(await target.askHealth("api", pin)).toMatchObject({ healthy: true });
  const never = { ...pin, config: { WANTED: "better" } };
  const failed = targetOf(site, running({ ...definition.services["api"]!, health: { ...health, timeoutMs: 300 } })).start("api", never);
  await expect(failed).rejects.toThrow(NeverHealthyError);
  await expect(failed).rejects.toThrow(/did not become healthy .*last answer: `sh -c .*` ended with code 1 seen as v1/);
  await target.stop("api");

  const port = site.ports["api"]!;
  const web = running({
    command: ["python3", "-m", "http.server", String(port), "--bind", "127.0.0.1"],
    databases: [],
    health: { tcp: true, timeoutMs: 30_000 },
  });
  expect(await targetOf(site, web).askHealth("api", pin)).toMatchObject({
    healthy: false,
    answer: expect.stringContaining("ECONNREFUSED") as string,
  });
  expect(await targetOf(site, web).start("api", pin)).toBe("started");
  expect(await targetOf(site, web).askHealth("api", pin)).toEqual({ healthy: true, answer: `port ${port} accepts connections` });
});

test.each([
  ["ends because it tries to listen elsewhere", "echo 'bind: address already in use' >&2\nexit 1", /has ended with code 1/],
  ["never listens", WAIT, /did not become healthy within/],
])("a program that %s is told with the port that it was to listen on", async (_what, lines, told) => {
  const site = await machine();
  const pin = await release(site, "v1", { "run.sh": `#!/bin/sh\n${lines}\n` });
  const start = (health: ServiceDefinition["health"]) =>
    targetOf(site, running({ command: ["./run.sh"], databases: [], ...(health === undefined ? {} : { health }) })).start("api", pin);
  const clause = `it was to listen on PORT=${site.ports["api"]!}; `;
  for (const health of [
    { tcp: true as const, timeoutMs: 300 },
    { path: "/", timeoutMs: 300 },
  ]) {
    const failed = start(health);
    await expect(failed).rejects.toThrow(told);
    await expect(failed).rejects.toThrow(clause);
  }
  const byCommand = start({ command: ["false"], timeoutMs: 300 });
  await expect(byCommand).rejects.toThrow(told);
  await expect(byCommand).rejects.not.toThrow("PORT=");
});

test("a program that goes into the background is told so, and what it left is ended by the fence", async () => {
  const site = await machine();
  const pin = await release(site, "v1", { "run.sh": `#!/bin/sh\nsetsid sh -c '${WAIT}' &\nexit 0\n` });
  const definition = running({ command: ["./run.sh"], databases: [], health: { tcp: true, timeoutMs: 20_000 } });
  const target = targetOf(site, definition);
  const started = target.start("api", pin);
  await expect(started).rejects.toThrow(BackgroundError);
  await expect(started).rejects.toThrow(/"api" has ended and left process(?:es)? [\d, ]+ running: .*stay in the foreground/);
  expect(await target.observe("api")).toMatchObject({ running: false, note: expect.stringContaining("foreground") as string });
  await expect(target.confirmStopped(["api"])).rejects.toThrow(/still running: "api"/);
  await target.stop("api");
  await target.confirmStopped(["api"]);
});
