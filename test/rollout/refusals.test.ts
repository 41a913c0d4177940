/** Every reason not to begin, all at once, before anything stops. */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Facts } from "../../rollout/inspect.ts";
import { refusals } from "../../rollout/refusals.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { siteOf } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { hashFolder } from "../../processes/artefact.ts";
import type * as DiskSpace from "../../processes/disk-space.ts";
import type { FreeSpace } from "../../processes/disk-space.ts";
import { configOf } from "../config/sample.ts";
import { definition, facts, SNAPSHOT } from "./sample.ts";

const disk = vi.hoisted(() => ({ freeBytes: null as number | null }));
vi.mock("../../processes/disk-space.ts", async (original) => {
  const real = await original<typeof DiskSpace>();
  const freeAt = (path: string): Promise<FreeSpace> =>
    disk.freeBytes === null ? real.freeAt(path) : Promise.resolve({ known: true, freeBytes: disk.freeBytes, path });
  return { ...real, freeAt };
});
afterEach(() => void (disk.freeBytes = null));

let project: string;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "backout-refusals-"));
  for (const release of ["v3.0.0", "v4.0.0"])
    for (const service of Object.keys(definition.services)) {
      mkdirSync(join(project, "releases", release, service), { recursive: true });
      writeFileSync(join(project, "releases", release, service, "main.ts"), `// ${service} ${release}\n`);
    }
  for (const [release, { services }] of Object.entries(ledger))
    for (const service of Object.keys(services)) services[service]!.sha256 = await hashFolder(join(project, "releases", release, service));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const ledger = structuredClone(configOf().releases);
/** What was looked at from afar: no server is asked again. */
const seen: Facts = {
  reach: { kind: "absent" },
  last: null,
  lastOpen: null,
  snapshots: [],
  catalogue: [],
  databases: { pfa: facts() },
  opened: [],
};

function refused(change: Record<string, unknown>, looked: Partial<Facts> = {}, system: SystemDefinition = definition): Promise<string[]> {
  const config = configOf({ releases: ledger, ...change });
  return refusals(
    siteOf(config, "test", project),
    system,
    resolvePins(config, system),
    { ...seen, ...looked },
    { order: ["v3.0.0", "v4.0.0"], scope: null },
  );
}
const opened = (change: Record<string, unknown> = {}) =>
  ({ state: "open", pins: resolvePins(configOf({ releases: ledger, ...change }), definition) }) as Facts["lastOpen"];

describe("refused before anything stops", () => {
  it("tables that the definition misspells, and nothing for those that a program makes", async () => {
    const audit = {
      ...definition.databases["pfa"]!,
      tables: ["userz", "made_by_a_program"],
      principalTable: "userz",
      appendOnly: ["userss"],
    };
    const reasons = await refused({}, {}, { ...definition, databases: { pfa: audit } });
    expect(reasons).toHaveLength(3);
    expect(reasons[0]).toMatch(
      /^definition\.databases\.pfa\.tables\.0: "userz" is not allowed: neither pfa nor a migration of it has .*`users`/,
    );
    expect(reasons[1]).toMatch(/^definition\.databases\.pfa\.appendOnly\.0: "userss".*`users`/);
    expect(reasons[2]).toMatch(/^definition\.databases\.pfa\.principalTable: "userz"/);
  });

  it("a script with a placeholder, which only Flyway fills in", async () => {
    writeFileSync(join(project, "V1__a.sql"), "CREATE TABLE ${schema}.a (id int)");
    const migrations = [{ name: "V1__a", path: "V1__a.sql", scripts: { up: { file: "V1__a.sql" } } }];
    const pfa = { ...definition.databases["pfa"]!, layout: "flyway", migrations, tables: [], principalTable: "" };
    const own = { ...definition, folder: project, databases: { pfa }, effects: [], constraints: undefined, flags: undefined } as never;
    const releases = Object.fromEntries(Object.entries(ledger).map(([name, entry]) => [name, { ...entry, schema: { pfa: "V1__a" } }]));
    const bare = { databases: { pfa: { ...facts(), applied: [] } } };
    expect((await refused({ releases }, bare, own)).join()).toMatch(
      /definition\.databases\.pfa\.migrate is missing: only Flyway itself fills in \$\{schema\} of V1__a: name the command/,
    );
  });

  it("a migration command whose program is not there, only where it would run", async () => {
    const pfa = { ...definition.databases["pfa"]!, migrate: "cd . && no-such-tool up", migrateDown: "no-such-tool down" };
    const system = { ...definition, databases: { pfa } };
    const told = async (change: Record<string, unknown>, looked: Partial<Facts>): Promise<string[]> =>
      (await refused(change, looked, system)).filter((reason) => reason.includes("no-such-tool"));
    expect(await told({}, { databases: { pfa: facts({ applied: [] }) } })).toEqual([
      expect.stringMatching(
        /^definition\.databases\.pfa\.migrate "cd \. && no-such-tool up": "no-such-tool" not found, neither on the PATH/,
      ),
    ]);
    const back = { release: "v3.0.0", schema: "down" };
    expect(await told(back, { lastOpen: opened() })).toEqual([
      expect.stringMatching(/^definition\.databases\.pfa\.migrateDown "no-such-tool down": /),
    ]);
    expect(await told({ ...back, schema: "mark" }, { lastOpen: opened() })).toEqual([]);
  });

  it("nothing, where everything that is pinned is there", async () => {
    expect(await refused({})).toEqual([]);
    const snapshots = [SNAPSHOT] as unknown as Facts["snapshots"];
    expect(await refused({ release: "v3.0.0", data: "before-v4.0.0@1" }, { snapshots, lastOpen: opened() })).toEqual([]);
  });

  it("a program that is not on this machine, and a role on a server that is still to be made", async () => {
    const { backend } = definition.services;
    const missing = { ...definition.services, backend: { ...backend!, entry: undefined, command: ["no-such-server"] } } as never;
    expect(await refused({}, {}, { ...definition, services: missing })).toEqual([
      expect.stringMatching(
        /^definition\.services\.backend\.command: "no-such-server" not found, neither on the PATH nor in .*: install it/,
      ),
    ]);
    const roled = { ...definition.services, backend: { ...backend!, databaseRole: "pfa_api" } };
    process.env["BACKOUT_SECRET_PFA_API"] = "given";
    const reasons = await refused({}, {}, { ...definition, services: roled }).finally(() => delete process.env["BACKOUT_SECRET_PFA_API"]);
    expect(reasons).toEqual([
      'definition.services.backend.databaseRole: this update makes the server, so it has no role "pfa_api" yet: deploy without it first, create the role and its grants, then name it',
    ]);
  });

  it("an artefact that is gone, and one that is not what was released", async () => {
    const broken = structuredClone(ledger);
    broken["v4.0.0"]!.services["worker"]!.path = "releases/v4.0.0/nowhere";
    broken["v4.0.0"]!.services["frontend"]!.sha256 = "0f".repeat(32);
    const reasons = await refused({ releases: broken });
    expect(reasons).toEqual([
      expect.stringMatching(/worker v4\.0\.0 is missing: folder .*nowhere not found/),
      expect.stringMatching(/frontend v4\.0\.0 in .* differs from what was recorded: expected sha256 (0f){32}/),
    ]);
  });

  it("a home without room for the record of a rollout", async () => {
    disk.freeBytes = 4096;
    expect(await refused({})).toEqual([expect.stringMatching(/^not enough space at \S+: 32\.0 MB needed with margin, 0\.0 MB free/)]);
  });

  it("an image where the target runs folders", async () => {
    const images = structuredClone(ledger);
    images["v4.0.0"]!.services["worker"] = { image: `sha256:${"ab".repeat(32)}` };
    expect(await refused({ releases: images })).toEqual([expect.stringMatching(/releases\.v4\.0\.0\.services\.worker has no `path`/)]);
  });

  it("a snapshot that is not there, or one of several", async () => {
    expect(await refused({ data: "before-v4.0.0@1" })).toEqual([expect.stringMatching(/snapshot of pfa not found; none exists/)]);
    const snapshots = [SNAPSHOT, { ...SNAPSHOT, generation: 2 }] as unknown as Facts["snapshots"];
    expect(await refused({ data: "before-v4.0.0" }, { snapshots })).toEqual([expect.stringMatching(/is ambiguous/)]);
  });

  it("a quarantined database that is not there, unless it is live again already", async () => {
    const pin = { data: "quarantine:pfa_quarantine_9" };
    expect(await refused(pin)).toEqual([expect.stringMatching(/"quarantine:pfa_quarantine_9": no such quarantine; there are none/)]);
    const catalogue = [{ role: "quarantine", database: "pfa", name: "pfa_quarantine_3" }] as Facts["catalogue"];
    expect(await refused(pin, { catalogue })).toEqual([expect.stringMatching(/there are pfa_quarantine_3/)]);
    expect(await refused({ data: "quarantine:pfa_quarantine_3" }, { catalogue })).toEqual([]);
    const back = { pfa: facts({ lineage: { snapshot: null, quarantine: "pfa_quarantine_9" } }) };
    expect(await refused(pin, { databases: back })).toEqual([]);
  });

  it("a way down that has no script", async () => {
    const pfa = definition.databases["pfa"]!;
    const migrations = pfa.migrations.map((migration, index) => (index === 2 ? { ...migration, path: "migrations/nowhere" } : migration));
    const without = { ...definition, databases: { pfa: { ...pfa, migrations } } };
    const down = { release: "v3.0.0", schema: "down" };
    expect(await refused(down, { lastOpen: opened() }, without)).toEqual([
      expect.stringMatching(/20251128000003.* has no down\.sql: pin schema "keep" or "mark", or restore a snapshot/),
    ]);
    for (const schema of ["keep", "mark"]) expect(await refused({ ...down, schema }, { lastOpen: opened() }, without)).toEqual([]);
    expect(await refused(down, { lastOpen: opened() })).toEqual([]);
  });

  describe("a disk with too little room, while nobody has been stopped", () => {
    /** The same system on a SQLite file, whose room is looked for on this machine. */
    const pfa = definition.databases["pfa"]!;
    const onFile: SystemDefinition = {
      ...definition,
      databases: { pfa: { ...pfa, engine: "sqlite", ledger: "backout" } },
    };
    const there = (change: Partial<Facts> = {}): Partial<Facts> => ({
      reach: { kind: "reached" },
      databases: { pfa: facts() },
      ...change,
    });
    /** No disk has as much. */
    const HUGE = 2 ** 60;
    const tooLittle = [
      expect.stringMatching(/^not enough space at .*: 1429365116108\.8 MB needed with margin, [\d.]+ MB free\. Nothing was copied/),
    ];
    const live = () => join(project, "live.db");
    const pins = () => ({ server: undefined, files: { pfa: live() } });
    beforeEach(() => writeFileSync(live(), "x".repeat(4096)));
    afterEach(() => rmSync(live(), { force: true }));

    it("for a snapshot that has no copy ready; one that has needs none", async () => {
      const back = { ...pins(), release: "v3.0.0", data: "before-v4.0.0@1" };
      const snapshot = { ...SNAPSHOT, id: 7, sizeBytes: HUGE };
      const looked = there({ snapshots: [snapshot] as unknown as Facts["snapshots"], lastOpen: opened() });
      expect(await refused(back, looked, onFile)).toEqual(tooLittle);
      const copy = (verified: object | null) =>
        [{ role: "standby", database: "pfa", snapshotId: 7, verified }] as unknown as Facts["catalogue"];
      expect(await refused(back, { ...looked, catalogue: copy(null) }, onFile), "one that was never verified is none").toEqual(tooLittle);
      expect(await refused(back, { ...looked, catalogue: copy({}) }, onFile)).toEqual([]);
      const small = [{ ...snapshot, sizeBytes: 4096 }] as unknown as Facts["snapshots"];
      expect(await refused(back, { ...looked, snapshots: small }, onFile)).toEqual([]);
    });

    it("for the snapshot that a deployment takes", async () => {
      const forward = { ...pins(), release: "v4.0.0" };
      const looked = there({ lastOpen: opened({ release: "v3.0.0" }) });
      expect(await refused(forward, looked, onFile)).toEqual([]);
      const { bavail, bsize } = statfsSync(project);
      // Sparse: it takes no room itself.
      truncateSync(live(), bavail * bsize);
      expect(await refused(forward, looked, onFile)).toEqual([expect.stringMatching(/^not enough space at /)]);
    });
  });

  it("everything at once", async () => {
    const broken = structuredClone(ledger);
    broken["v4.0.0"]!.services["worker"]!.path = "nowhere";
    expect(await refused({ releases: broken, data: "before-v5.0.0" })).toHaveLength(2);
  });
});
