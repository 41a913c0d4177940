/** What an undo writes: whatever a rollback changed in the stack file is as it was before, whichever its scope; on a real state file. */
// Longer than 300 lines: one stack file and one state go through the tests in their order.
import fc from "fast-check";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { keepIntent, type Intent } from "../../../state/intent.ts";
import { editPins, rawConfig, type PinEdit } from "../../../config/edit.ts";
import { rolloutOf } from "../../../config/pins.ts";
import { deployEdits } from "../../../config/scope.ts";
import { stateFile } from "../../../config/site.ts";
import { intentOf } from "../../../scripts/verbs/carry-out.ts";
import { rollbackText, type RollbackWish } from "../../../scripts/pulumi/rollback-pins.ts";
import { undoText } from "../../../scripts/verbs/undo-pins.ts";
import { askedBefore, standingOf, textOf, type Standing } from "../../../scripts/pulumi/standing.ts";
import { openStack, stackFile, type OpenStack } from "../../../scripts/pulumi/stack.ts";
import { newFolder } from "../../workloads/shop.ts";

/** What stands in the stack file encrypted is whatever follows `v1:`; also what the file does not hold at the moment. */
vi.mock("../../../scripts/pulumi/secret-values.ts", () => ({
  secretValues: ({ text }: { text: string }) =>
    Promise.resolve(new Map([...text.matchAll(/secure: (v1:(\S+))/g)].map(([, cipher, value]) => [cipher!, value!]))),
}));

const DEFINITION = `
const scope = (pins) => ({ title: "t", useWhen: "w", budgetSeconds: 60, phaseBudgets: {}, pins, checks: [] });
const service = { kind: "worker", title: "t", entry: "main.ts", databases: [], stopGraceMs: 1_000, environment: ({ config }) => config };
export const definition = {
  name: "shop", title: "Shop", folder: import.meta.dirname,
  services: { api: service, worker: service }, stopOrder: ["worker", "api"],
  databases: { shop: { engine: "sqlite", ledger: "backout", migrations: [{ name: "1", path: "1" }, { name: "2", path: "2" }], tables: [], principalTable: "",
    repairs: { fix: { title: "Fix", arguments: { id: { title: "id" } }, readsSnapshot: false, run: async () => ({ rows: 0 }) } } } },
  listeners: {}, effects: [], checks: [], flags: { database: "shop", readSql: "SELECT 1", writeSql: "SELECT 1", requiresTable: "flags" }, defaultScope: "application", maintenanceMessage: "Closed", retryAfterSeconds: 1,
  scopes: {
    application: scope({ release: "to" }),
    settings: scope({ services: { api: { config: "ledger" }, worker: { config: ["MUTED"] } } }),
    everything: scope({ release: "to", services: { api: { config: "ledger", run: "off" }, worker: { config: "ledger", restart: true } }, data: "snapshot", schema: "keep",
      flags: { beta: false }, maintenance: { mode: "full", message: "Back soon" }, freeze: { reason: "rolled back" } }),
    mark: scope({ release: "to", schema: "mark", data: "current" }),
    down: scope({ release: "to", schema: "down", data: "current", maintenance: { mode: "off" } }),
    restart: scope({ service: { restart: true } }),
    one: scope({ service: { release: "to" } }),
    repair: scope({ data: { repair: "fix" } }),
  },
};
`;
const RELEASES = `  backout:releases:
    v1:
      schema: { shop: "1" }
      services:
        api: { path: v1, sha256: ${"1f".repeat(32)}, config: { POOL: "5" } }
        worker: { path: v1, sha256: ${"1f".repeat(32)} }
    v2:
      schema: { shop: "2" }
      flags: { beta: true }
      services:
        api: { path: v2, sha256: ${"2f".repeat(32)}, config: { POOL: "8", CACHE: "on" } }
        worker: { path: v2, sha256: ${"2f".repeat(32)}, config: { MUTED: "a" } }
`;
const HEAD = `# What the shop should be now.
config:
  backout:standby: never
${RELEASES}  # THE PINS.
`;
/** What a person may have written, each at v2. */
const FILES: Record<string, string> = {
  "the release alone": "  backout:release: v2 # since Friday\n",
  "every pin in words": `  backout:release: v2
  backout:data: current
  backout:schema: keep
  backout:maintenance: off
`,
  "settings taken away and added": `  backout:release: v2
  backout:services:
    api:
      config:
        # It slows us down.
        CACHE: null
        EXTRA: "1"
    worker: { release: v2, restart: 2, config: { MUTED: b } }
  backout:flags: { beta: true, other: false }
  backout:blocked:
    v9: INC-9
`,
  "secrets among them": `  backout:services:
    worker:
      config:
        MUTED:
          secure: v1:quiet
        TOKEN:
          secure: v1:hush
    api:
      config:
        CACHE: null
        KEY:
          secure: v1:open-sesame
  backout:release: v2
`,
  "in maintenance, one apart": `  backout:maintenance:
    mode: read-only
    message: Counting
  backout:services:
    worker:
      release: v1
      run: off
  backout:release: v2
  backout:freeze:
    reason: the audit
  backout:scope: settings
`,
};
const WISHES: Record<string, RollbackWish> = {
  application: {},
  settings: { scope: "settings" },
  everything: { scope: "everything" },
  mark: { scope: "mark" },
  down: { scope: "down", block: false },
  restart: { scope: "restart", service: "worker" },
  one: { scope: "one", service: "api", to: "v1" },
  repair: { scope: "repair", with: ["id=7"] },
};

let folder: string;
let state: SqliteState;
let stack: () => Promise<OpenStack>;

beforeEach(() => void (folder = newFolder()));

async function project(pins: string): Promise<void> {
  mkdirSync(join(folder, "stacks"), { recursive: true });
  writeFileSync(join(folder, "Pulumi.yaml"), "name: shop\nmain: definition.ts\nruntime: nodejs\nstackConfigDir: stacks\n");
  for (const migration of ["1", "2"]) {
    mkdirSync(join(folder, migration), { recursive: true });
    writeFileSync(join(folder, migration, "migration.sql"), "SELECT 1;");
  }
  writeFileSync(join(folder, "definition.ts"), DEFINITION);
  writeFileSync(join(folder, "stacks", "Pulumi.test.yaml"), `${HEAD}${pins}encryptionsalt: none\n`);
  stack = () => openStack(stackFile("test", folder));
  state = await SqliteState.create(stateFile((await stack()).site));
}
const text = (): string => readFileSync(join(folder, "stacks", "Pulumi.test.yaml"), "utf8");
const write = (to: string): void => writeFileSync(join(folder, "stacks", "Pulumi.test.yaml"), to);

let epochs = 0;
/** What an update to the pins in the file leaves in the record. @param failed it did not open. */
async function up(intent: Omit<Intent, "after"> | null, failed = false): Promise<void> {
  const { pins, config } = await stack();
  const last = await state.lastRollout();
  if (intent !== null) await keepIntent(state, { ...intent, after: last?.epoch ?? 0 });
  const from = (await state.lastOpenRollout())?.pins.release ?? null;
  const epoch = (last?.epoch ?? 0) + 1;
  const data = pins.data["shop"]!;
  const kind = data.kind === "snapshot" ? "restore" : data.kind === "quarantine" ? "undo" : data.kind === "repair" ? "repair" : "none";
  const shop = { action: { kind }, up: [], back: pins.schema === "keep" ? [] : ["2"], backBy: pins.schema };
  const plan = {
    fromRelease: from,
    toRelease: pins.release,
    forward: from === "v1" && pins.release === "v2",
    scope: config.scope?.name ?? null,
  };
  await state.beginRollout({
    epoch,
    rollout: rolloutOf(pins),
    pins,
    plan: { ...plan, databases: { shop } } as never,
    runId: `run-${++epochs}`,
    reason: null,
  });
  const snapshot = { database: "shop", name: plan.forward ? "before-v2" : `before-${epoch}`, epoch, automatic: true, driver: "file" };
  const { id } = await state.beginSnapshot(snapshot as never, (generation) => `nowhere-${epoch}-${generation}`);
  await state.finishSnapshot(id, { manifest: {}, statistics: null, baseline: null, sizeBytes: 1 });
  if (failed) return state.setFailure(epoch, "verify");
  await state.setState(epoch, "open");
  await state.setRecorded(epoch);
}

/** What a rollback or an undo sets aside is there. */
async function standing(): Promise<Standing> {
  const found = await standingOf(await stack());
  const last = await state.lastOpenRollout();
  const kept = ["restore", "undo"].includes(last?.plan.databases["shop"]?.action.kind ?? "none");
  const quarantine = {
    role: "quarantine",
    database: "shop",
    name: `shop_q${last?.epoch}`,
    epoch: last?.epoch,
  } as Standing["catalogue"][number];
  return { ...found, catalogue: kept ? [quarantine] : [] };
}

async function play(verb: "rollback" | "undo" | "deploy", to: string, failed = false): Promise<void> {
  const before = await stack();
  const after = await openStack(before, to);
  const now = await standing();
  const intent = intentOf(before, after, { verb, goal: "", words: verb }, { runId: `${verb}-1`, reason: null, standing: now });
  write(to);
  await up(intent, failed);
}
const deploy = async (release: string): Promise<void> => {
  const { definition } = await stack();
  await play("deploy", editPins(text(), deployEdits(definition, release)));
};
const rollback = async (wish: RollbackWish, failed = false): Promise<void> =>
  play("rollback", await rollbackText(await stack(), wish, await standing()), failed);
const undo = async (): Promise<void> => play("undo", await undoText(await stack(), await standing()));

/** Every key but the data, which an undo takes from where it was set aside; `current` says what no pin says. */
function keys(): Record<string, unknown> {
  const { "backout:data": _data, ...others } = rawConfig(
    text(),
    undefined,
    new Map([...text().matchAll(/secure: (\S+)/g)].map(([, cipher]) => [cipher!, cipher!])),
  );
  return others;
}

/** v1, then v2 as the file has it. */
async function deployed(pins: string): Promise<void> {
  await project("  backout:release: v1\n");
  await up(null);
  write(`${HEAD}${pins}encryptionsalt: none\n`);
  await up(null);
}

describe.each(Object.entries(FILES))("with %s", (_what, pins) => {
  test.each(Object.keys(WISHES))("the undo of `%s` leaves every key as it was, and what runs", async (scope) => {
    await deployed(pins);
    const [was, before] = [keys(), await stack()];
    await rollback({ ...WISHES[scope]!, incident: "INC-1" });
    const back = keys();
    expect(back).not.toEqual(was);
    await undo();
    expect(keys()).toEqual(was);
    expect((await stack()).pins.services).toEqual(before.pins.services);
    // And what was undone is undone once more.
    await undo();
    expect(keys()).toEqual(back);
  });
});

test("without anything kept of how it was done, by hand: what runs is as before, also where a setting of the release had been taken away", async () => {
  await deployed(FILES["settings taken away and added"]!);
  const { pins } = await stack();
  const edits: PinEdit[] = [
    { path: ["release"], value: "v1" },
    { path: ["services"], value: undefined },
    { path: ["data"], value: "before-v2@1" },
  ];
  write(editPins(text(), edits));
  await up(null);
  write(await undoText(await stack(), await standing()));
  const { data: _now, ...now } = (await stack()).pins;
  const { data: _was, ...was } = pins;
  expect(now).toEqual(was);
});

test("a setting that another release's entry holds encrypted is written encrypted; one that was another secret keeps no release from coming back", async () => {
  await project("  backout:release: v1\n");
  const head = HEAD.replace("worker: { path: v1, ", "worker: { config: { MUTED: { secure: v1:hush } }, path: v1, ");
  const with1 = (pins: string): void => write(`${head}${pins}encryptionsalt: none\n`);
  with1("  backout:release: v1\n");
  await up(null);
  with1("  backout:release: v2\n");
  await up(null);
  const written = await rollbackText(await stack(), { scope: "settings", incident: "INC-1" }, await standing());
  expect(written).toMatch(/MUTED:\s+secure: v1:hush/);
  expect(written.match(/hush/g)).toHaveLength(2);

  const TOKEN = (value: string): string =>
    `  backout:release: v2\n  backout:services: { worker: { config: { TOKEN: { secure: ${value} } } } }\n`;
  with1(TOKEN("v1:one"));
  await up(null);
  with1(TOKEN("v1:two").replace("release: v2", "release: v1"));
  await up(null, true);
  expect(await rollbackText(await stack(), { to: "v2", incident: "INC-2" }, await standing()).catch(String)).toMatch(/secure: v1:two/);
});

test("after one that failed and another in its place, the undo leaves every key as before the first", async () => {
  await deployed(FILES["settings taken away and added"]!);
  const was = keys();
  await rollback({ scope: "everything", incident: "INC-1" }, true);
  await rollback({ scope: "mark", incident: "INC-2", anew: true });
  await undo();
  expect(keys()).toEqual(was);
});

test("an undo killed when it had written its pins: another rollback is refused, typed again it is that, and taken back it leaves every key", async () => {
  await deployed(FILES["settings taken away and added"]!);
  await rollback({ scope: "everything", incident: "INC-1" });
  const back = keys();
  const [before, now] = [await stack(), await standing()];
  const written = await undoText(before, now);
  const asked = { verb: "undo" as const, goal: "", words: "undo" };
  const intent = intentOf(before, await openStack(before, written), asked, { runId: "undo-1", reason: null, standing: now });
  await keepIntent(state, { ...intent, after: now.last!.epoch });
  write(written);
  const after = await standing();
  expect(after.pending).toMatchObject({ rollout: null, forward: false, intent: { verb: "undo" } });
  await expect(rollbackText(await stack(), { scope: "mark" }, after)).rejects.toThrow(/has written its pins and was interrupted.*--anew/);
  const again = askedBefore(after, "undo", "");
  expect(textOf(await stack(), again!)).toBe(written);
  write(await undoText(await stack(), after));
  expect(keys()).toEqual(back);
});

test("what somebody set otherwise since stays", async () => {
  await deployed(FILES["settings taken away and added"]!);
  await rollback({ scope: "everything", incident: "INC-1" });
  write(
    editPins(text(), [
      { path: ["freeze"], value: { reason: "mine" } },
      { path: ["blocked", "v8"], value: "INC-8" },
      { path: ["incident"], value: undefined },
    ]),
  );
  await undo();
  expect(keys()).toMatchObject({ "backout:freeze": { reason: "mine" }, "backout:blocked": { v8: "INC-8", v9: "INC-9" } });
  expect(Object.keys(keys()["backout:blocked"] as object)).not.toContain("v2");
});

test("any sequence of deployments and rollbacks, each rollback undone, leaves the file's keys as they were", async () => {
  const step = fc.oneof(fc.constantFrom("v1 to v2"), fc.constantFrom(...Object.keys(WISHES)));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.values(FILES)), fc.array(step, { minLength: 1, maxLength: 5 }), async (pins, steps) => {
      folder = newFolder();
      await deployed(pins);
      for (const one of steps) {
        if (one === "v1 to v2") {
          await deploy("v2");
          continue;
        }
        const was = keys();
        await rollback({ ...WISHES[one]!, anew: true });
        await undo();
        expect(keys()).toEqual(was);
      }
    }),
    { numRuns: 15 },
  );
});
