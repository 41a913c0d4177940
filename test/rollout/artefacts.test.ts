/** Artefacts between machines: what one copied to the store another fetches, compares and drops; a store that fails loses nothing. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Snapshot, StateStore } from "../../config/record.ts";
import type { Run } from "../../config/run.ts";
import type { Site } from "../../config/site.ts";
import { bringQuarantine, bringSnapshot, removeStored, storeArtefacts, storedAt, storeRefusal } from "../../rollout/artefacts.ts";
import { onlyCopies } from "../../rollout/only-copy.ts";
import { applyRetention } from "../../rollout/retention.ts";
import { definitionIn } from "../databases/engines/sqlite-stand.ts";
import { S3_KEY, startS3, type S3Stand } from "../support/s3.ts";
import { keeping } from "./memory.ts";

let s3: S3Stand;
let folder: string;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.stop());
let serial = 0;
beforeEach(() => {
  s3.heal();
  folder = mkdtempSync(join(tmpdir(), "backout-artefacts-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

interface Machine {
  run: Run;
  said: string[];
  path: (...names: string[]) => string;
  snapshot: (id: number) => Snapshot;
}

/** Machines with homes of their own and one state. */
function team(url = s3.url(`team-${++serial}`)) {
  const { values, ...kept } = keeping();
  const taken: number[] = [];
  const quarantines: string[] = [];
  const dropped: number[] = [];
  const machine = (name: string, change: Partial<Site> = {}): Machine => {
    const home = join(folder, name);
    mkdirSync(home, { recursive: true });
    const site = {
      ...{ stack: "dev", system: "shop", module: null, project: folder, home, target: "process", ports: {}, files: {} },
      ...{ store: url, storeKey: S3_KEY, ...change },
    } as Site;
    const snapshot = (id: number): Snapshot => ({
      ...{ id, database: "shop", name: "before-v2", generation: id, driver: "dump", location: join(home, "dumps", `before_v2_${id}`) },
      ...{ takenAt: "", epoch: id, release: "v1", automatic: true, state: "ready", manifest: null, statistics: null, baseline: null },
      sizeBytes: null,
    });
    const state = {
      ...kept,
      keep: (key: string, value: unknown) => Promise.resolve(void values.set(key, JSON.stringify(value))),
      readySnapshots: () => Promise.resolve(taken.filter((id) => !dropped.includes(id)).map(snapshot)),
      catalogued: () =>
        Promise.resolve(quarantines.map((one, oid) => ({ oid, name: one, database: "shop", role: "quarantine", epoch: 1, lineage: {} }))),
      rollout: (epoch: number) => Promise.resolve({ epoch, runId: `run-${epoch}`, pins: undefined, plan: { databases: {} }, openedAt: "" }),
      snapshotOfEpoch: () => Promise.resolve(null),
      openings: () => Promise.resolve([]),
      remainders: () => Promise.resolve([]),
      setSnapshotState: (id: number, to: string) => Promise.resolve(void (to === "removed" && dropped.push(id))),
    } as unknown as StateStore;
    const said: string[] = [];
    const run: Run = { site, definition: definitionIn(folder), state, epoch: 1, runId: "now", log: (_severity, line) => said.push(line) };
    return { run, said, snapshot, path: (...names) => join(home, ...names) };
  };
  return { machine, taken, quarantines, values };
}

function dump({ snapshot }: Machine, id: number, content = `dump ${id}`): void {
  const { location } = snapshot(id);
  mkdirSync(location, { recursive: true });
  writeFileSync(join(location, "toc.dat"), content);
}
function write(file: string, content: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, content);
}
const objects = (): string[] => readdirSync(s3.folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("_object"));
const manifests = (prefix: string): string[] => objects().filter((name) => name.startsWith(prefix) && name.includes("artefact.json"));

test("a store that fails loses nothing: it is told, the files stay, and the next run copies what is missing, once", async () => {
  const { machine, taken } = team();
  const one = machine("one");
  for (const id of [1, 2]) dump(one, id);
  taken.push(1, 2);
  write(one.path("exports", "run-1", "shop", "run-1.manifest.json"), "{}");
  write(one.path("exports", "run-2", "shop", "run-2.orders.jsonl"), "begun");
  write(one.path("records", "run-1", "manifest.json"), "{}");
  s3.fail((asked) => asked.startsWith("PUT") && asked.includes("before_v2_2"), "cut", 99);
  const { stored, left } = await storeArtefacts(one.run);
  expect(stored).toEqual([expect.stringMatching(/^s3:\/\/artefacts\/team-\d+\?endpoint=\S+ shop-dev-new\/dumps\/before_v2_1\/\w+$/)]);
  expect(left).toEqual(["dumps/before_v2_2", "exports/run-1", "records/run-1"]);
  expect(one.said).toEqual([
    expect.stringMatching(
      /^not in the store yet: before-v2@2 of shop, exports of run-1, records of run-1\. .* does not answer .*up --stack dev/,
    ),
  ]);
  expect(readFileSync(join(one.snapshot(2).location, "toc.dat"), "utf8")).toBe("dump 2");
  s3.heal();
  expect(await storeArtefacts(one.run)).toMatchObject({ stored: { length: 3 }, left: [] });
  const asked = s3.seen.asked.length;
  expect(await storeArtefacts(one.run)).toEqual({ stored: [], left: [] });
  expect(s3.seen.asked.slice(asked), "what is recorded is not asked for").toEqual([]);
});

test("without a key the rollout ends all the same", async () => {
  const { machine, taken } = team("s3://artefacts");
  const { storeKey: _none, ...site } = machine("one").run.site;
  const one = machine("one");
  dump(one, 1);
  taken.push(1);
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "none"));
  const run = { ...one.run, site };
  expect(await storeArtefacts(run).finally(() => vi.unstubAllEnvs())).toEqual({ stored: [], left: ["dumps/before_v2_1"] });
  expect(one.said.join()).toMatch(/no access key/);
});

test("what is neither here nor in the store is refused by its name, and with the machine that has it", async () => {
  const { machine, taken, quarantines } = team();
  const [one, two] = [machine("one"), machine("two", { server: { driver: "in-place" } as Site["server"] & object })];
  dump(one, 1);
  taken.push(1);
  quarantines.push("shop_quarantine_1");
  const refused = /before-v2@1 of shop is neither in .*two\/dumps\/before_v2_1 nor in the store s3:.*run `.*up --stack dev` there/;
  await expect(bringSnapshot(two.run, two.snapshot(1))).rejects.toThrow(refused);
  await expect(bringQuarantine(two.run, "shop_quarantine_1")).rejects.toThrow(/quarantine shop_quarantine_1 is neither in/);
  expect(await storeArtefacts(two.run)).toEqual({ stored: [], left: ["dumps/before_v2_1", "dumps/shop_quarantine_1"] });
  expect(two.said.join("\n")).toMatch(refused);
  const without = machine("three", { store: undefined as unknown as string });
  await expect(bringSnapshot(without.run, without.snapshot(1)), "without a store nothing changes").resolves.toBeUndefined();
  await expect(storeArtefacts(without.run)).resolves.toEqual({ stored: [], left: [] });
});

test("another machine fetches it, once, and whole or not at all", async () => {
  const { machine, taken } = team();
  const [one, two] = [machine("one"), machine("two")];
  dump(one, 1);
  taken.push(1);
  await storeArtefacts(one.run);
  const object = s3.fileOf(`team-${serial}/${(await storedAt(one.run, one.snapshot(1).location))!.key}/files/toc.dat`);
  writeFileSync(object, "dump 2");
  await expect(bringSnapshot(two.run, two.snapshot(1))).rejects.toThrow(/before_v2_1\/\w+ is damaged: toc\.dat was changed/);
  expect(readdirSync(two.path("dumps"))).toEqual([]);
  writeFileSync(object, "dump 1");
  const said: string[] = [];
  for (let time = 0; time < 2; time++) await bringSnapshot(two.run, two.snapshot(1), (line) => said.push(line));
  expect(said).toEqual([
    expect.stringMatching(/^before-v2@1 of shop was fetched from s3:\/\/artefacts\/team-\d+\?endpoint=\S+ \(0\.0 MB\)$/),
  ]);
  expect(readFileSync(join(two.snapshot(1).location, "toc.dat"), "utf8")).toBe("dump 1");
});

test("another store gets what is here, and what is only in the old one is refused with its url", async () => {
  const { machine, taken } = team();
  const one = machine("one");
  dump(one, 1);
  taken.push(1);
  await storeArtefacts(one.run);
  const shared = join(folder, "shared");
  mkdirSync(shared);
  const change = { store: `file://${shared}` };
  const two = machine("two", change);
  await expect(bringSnapshot(two.run, two.snapshot(1))).rejects.toThrow(/it was copied to s3:.*not to file:.*: set backout:store back/);
  const { key } = (await storedAt(one.run, one.snapshot(1).location))!;
  for (const name of ["artefact.json", "files/toc.dat"])
    write(join(shared, key, name), readFileSync(s3.fileOf(`team-${serial}/${key}/${name}`), "utf8"));
  const three = machine("three", change);
  await bringSnapshot(three.run, three.snapshot(1));
  expect(readFileSync(join(three.snapshot(1).location, "toc.dat"), "utf8"), "a store that was copied is as good").toBe("dump 1");
  const moved = machine("one", change);
  expect((await storeArtefacts(moved.run)).stored).toEqual([expect.stringMatching(/^file:.*shared shop-dev-new\/dumps\/before_v2_1\//)]);
  await bringSnapshot(two.run, two.snapshot(1));
  expect(readFileSync(join(two.snapshot(1).location, "toc.dat"), "utf8")).toBe("dump 1");
});

test("evidence that was written anew at the end of the same run is copied anew, and the earlier copy goes", async () => {
  const { machine } = team();
  const one = machine("one");
  write(one.path("records", "run-1", "manifest.json"), "first");
  await storeArtefacts(one.run);
  const first = await storedAt(one.run, one.path("records", "run-1"));
  write(one.path("records", "run-1", "manifest.json"), "second");
  await new Promise((resolve) => setTimeout(resolve, 5));
  await storeArtefacts(one.run);
  const second = await storedAt(one.run, one.path("records", "run-1"));
  expect(second!.key).not.toBe(first!.key);
  expect(manifests(`team-${serial}`)).toEqual([expect.stringContaining(second!.key)]);
  write(one.path("records", "run-1", "manifest.json"), "later");
  expect((await storeArtefacts({ ...one.run, epoch: 2 })).stored, "of an earlier run nothing is").toEqual([]);
});

test("retention drops in the store what it drops here, and keeps what the store does not drop for the next time", async () => {
  const { machine, taken } = team();
  const one = machine("one");
  for (const id of [1, 2, 3]) dump(one, id);
  taken.push(1, 2, 3);
  await storeArtefacts(one.run);
  const two = machine("two");
  const keep = { keep: 2, quarantines: 3, snapshots: [] };
  s3.fail((asked) => asked.startsWith("DELETE"), 403, 99);
  expect(await applyRetention(two.run, keep, [], null)).toEqual([]);
  expect(two.said.join()).toMatch(/before-v2@1 is beyond backups and could not be dropped: backout:store .* the access key is refused/);
  s3.heal();
  expect(await applyRetention(two.run, keep, [], null)).toEqual(["before-v2@1"]);
  expect(
    manifests(`team-${serial}`)
      .map((name) => /before_v2_\d/.exec(name)?.[0])
      .sort(),
  ).toEqual(["before_v2_2", "before_v2_3"]);
  expect(await storedAt(two.run, two.snapshot(1).location)).toBeNull();
  await expect(removeStored(two.run, two.snapshot(1).location)).resolves.toBeUndefined();
});

test("a quarantine whose export another machine made is no only copy", async () => {
  const { machine, quarantines } = team();
  const [one, two] = [machine("one"), machine("two")];
  quarantines.push("shop_quarantine_1");
  const catalogue = await two.run.state.catalogued();
  const told = (at: Machine) => onlyCopies({ site: at.run.site, state: at.run.state }, catalogue, []);
  expect(await told(two)).toEqual(new Map([["shop_quarantine_1", ["there is no export of it"]]]));
  write(one.path("exports", "run-1", "shop", "run-1.manifest.json"), '{"notCompared": []}');
  await storeArtefacts(one.run);
  expect(await told(two)).toEqual(new Map());
  s3.fail(() => true, 403, 99);
  expect(await told(two), "a store that does not answer says nothing").toEqual(
    new Map([["shop_quarantine_1", ["there is no export of it"]]]),
  );
});

test("a store that cannot be used refuses before anything stops; a file of a database comes back as a file", async () => {
  const shared = join(folder, "shared");
  const { machine } = team(`file://${shared}`);
  const [one, two] = [machine("one"), machine("two")];
  expect(await storeRefusal(one.run.site)).toMatch(
    /there is no folder .*shared on this machine: mount it, or make it; or remove backout:store/,
  );
  mkdirSync(shared);
  expect(await storeRefusal(one.run.site)).toBeNull();
  const file = (at: Machine): Snapshot => ({ ...at.snapshot(1), driver: "backup", location: at.path("snapshots", "shop_before_v2_1.db") });
  write(file(one).location, "rows");
  for (const at of [one, two]) at.run.state.readySnapshots = () => Promise.resolve([file(at)]);
  await storeArtefacts(one.run);
  await bringSnapshot(two.run, file(two));
  expect(readFileSync(file(two).location, "utf8")).toBe("rows");
  expect(existsSync(`${file(two).location}.lock`)).toBe(false);
  chmodSync(shared, 0o700);
});
