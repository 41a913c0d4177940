/**
 * Which release is newer says the ledger, also where the engine has sorted it and its names say otherwise: by plain Pulumi and by the
 * verbs.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openState } from "../../databases/open-state.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { liveFile, type Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { removeDrill } from "../../drill/remove.ts";
import { runVerb } from "../../drill/verbs.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import type { HistoryEntry } from "../../scripts/verbs/history.ts";
import { PROGRAM } from "./order-shop/definition.ts";
import { projectOf } from "./own-program.ts";

/** Oldest first. No name says so: the engine hands them over in another order, and JavaScript puts the number first anyway. */
const LEDGER = [
  ["v2.0.0", "1_orders"],
  ["v3.0.0", "1_orders"],
  ["2f9c1d0", "1_orders"],
  ["1234567", "2_notes"],
  ["main-120", "2_notes"],
  ["main-99", "3_marks"],
  ["abc1234+build.7", "3_marks"],
] as const;

let folder: string;
let stack: EphemeralStack;
let site: Site;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-order-"));
  const releases: PinEdit[] = [{ path: ["releases"], value: {} }];
  for (const [name, schema] of LEDGER) {
    const path = join(folder, "builds", name, "app");
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "main.ts"), `// ${name}\n${PROGRAM}`);
    const config = name === "main-99" ? { POOL: "8", MUTED: "all" } : { POOL: "8" };
    const app = { path, sha256: await hashFolder(path), config };
    releases.push({ path: ["releases", name], value: { schema: { production: schema }, services: { app } } });
  }
  writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  stack = await makeEphemeralStack({
    project: projectOf(folder, "orbis-forge", join(import.meta.dirname, "order-shop", "definition.ts")),
    stack: "orbis-forge",
    folder,
    name: "order",
    engine: await ensureEngine(),
    edits: [
      ...releases,
      { path: ["release"], value: "v3.0.0" },
      { path: ["standby"], value: "never" },
      { path: ["backups"], value: { keep: 9, quarantines: 9 } },
    ],
  });
  site = { ...(await openStack(stackFile("order", folder))).site, home: stack.home };
});
afterAll(async () => {
  if (folder === undefined) return;
  await removeDrill(folder);
  rmSync(folder, { recursive: true, force: true });
});

const text = (): string => readFileSync(stack.file, "utf8");
const verb = (name: string, ...given: string[]) => runVerb<Record<string, unknown>>(stack, name, given);
async function up(edits: PinEdit[]): Promise<string> {
  writeFileSync(stack.file, editPins(text(), edits));
  const { code, output } = await runPulumi({
    project: folder,
    stack: "order",
    arguments: ["up", "--yes", "--skip-preview"],
    environment: stack.environment,
  });
  if (code !== 0) throw new Error(output);
  return output;
}
async function record() {
  const state = await openState(site, (await openStack(stackFile("order", folder))).definition);
  try {
    const last = (await state?.lastRollout()) ?? null;
    const snapshots = ((await state?.readySnapshots()) ?? []).map(({ name, generation }) => `${name}@${generation}`);
    return { last, snapshots };
  } finally {
    await state?.end();
  }
}
function inFile<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(liveFile(site, "production"), { timeout: 5000 });
  try {
    return work(database);
  } finally {
    database.close();
  }
}
const order = (what: string) => inFile((database) => void database.prepare("INSERT INTO orders (what) VALUES (?)").run(what));
const orders = () => inFile((database) => database.prepare("SELECT what FROM orders ORDER BY id").all()).map((row) => row["what"]);
const says = async (): Promise<unknown> => (await fetch(`http://127.0.0.1:${site.ports["app"]}/`)).json();

test(
  "deploying by verb and by plain Pulumi is forward as the ledger says; each way forward has its snapshot",
  { timeout: 900_000 },
  async () => {
    const first = await verb("deploy", "v3.0.0", "--yes");
    expect(first).toMatchObject({ code: 0, json: { ok: true } });

    // The first release came after nothing: there is no data to go back to, and what would do instead is told.
    const refused = await verb("rollback", "--scope", "full", "--yes");
    expect(refused.code).toBe(3);
    expect(refused.failure).toMatch(
      /production cannot go back: no snapshot was taken when v2\.0\.0 was left\. There is no snapshot at all; scopes that need none: code, /,
    );

    expect(await verb("deploy", "2f9c1d0", "--yes")).toMatchObject({ code: 0, json: { from: "v3.0.0" } });
    order("as 2f9c1d0");
    await up([{ path: ["release"], value: "1234567" }]);
    expect((await record()).last).toMatchObject({
      state: "open",
      plan: { forward: true, fromRelease: "2f9c1d0", take: [{ name: "before-1234567" }] },
    });
    expect(await verb("deploy", "main-120", "--yes")).toMatchObject({ code: 0 });
    order("as main-120");
    await up([{ path: ["release"], value: "main-99" }]);
    order("as main-99");
    const { last, snapshots } = await record();
    expect(last).toMatchObject({ state: "open", plan: { forward: true, scope: null, fromRelease: "main-120", toRelease: "main-99" } });
    expect(snapshots).toEqual(["before-2f9c1d0@1", "before-1234567@1", "before-main-120@1", "before-main-99@1"]);
  },
);

test(
  "a freeze keeps out whatever stands after what runs; deploying backwards is refused; so are names nobody can pin",
  { timeout: 900_000 },
  async () => {
    const before = text();
    await verb("freeze", "--reason", "rollback in progress");
    const newer = await verb("deploy", "abc1234+build.7", "--yes");
    expect(newer.code).toBe(3);
    expect(newer.failure).toContain("release main-99 → abc1234+build.7 is refused: changes are frozen");
    await verb("freeze", "--lift");
    expect(text()).toBe(before);

    const backwards = await verb("deploy", "main-120", "--yes");
    expect(backwards.code).toBe(3);
    expect(backwards.failure).toMatch(
      /main-120 is older than main-99, which runs, .* to roll back, run `.*rollback --stack order --to main-120`/,
    );

    cpSync(join(folder, "builds", "main-99"), join(folder, "builds", "beta"), { recursive: true });
    const named = await verb("deploy", "v4 beta", "--from", join(folder, "builds", "beta"), "--yes");
    expect(named.code).toBe(3);
    expect(named.failure).toContain("a release's name has letters, digits and . _ + - only");
    expect(text()).toBe(before);
  },
);

test(
  "settings come back as they were before the release that brought others, one of the ledger's own included",
  { timeout: 900_000 },
  async () => {
    expect(await says()).toMatchObject({ release: "main-99", config: { POOL: "8", MUTED: "all" } });
    const settings = await verb("rollback", "--scope", "settings", "--yes");
    expect(settings).toMatchObject({ code: 0, json: { scope: "settings" } });
    expect(await says()).toEqual({ release: "main-99", config: { POOL: "8" } });
    expect((await verb("rollback", "--scope", "service", "--service", "app", "--yes")).code).toBe(0);
    const { json } = await verb("history", "--limit", "2");
    expect((json!["rollouts"] as HistoryEntry[]).map(({ scope, service }) => [scope, service])).toEqual([
      ["service", "app"],
      ["settings", null],
    ]);
  },
);

test("back to the release that opened last before, with the snapshot of that very rollout", { timeout: 900_000 }, async () => {
  const back = await verb("rollback", "--scope", "full", "--yes", "--no-block");
  expect(back).toMatchObject({ code: 0, json: { scope: "full", from: "main-99", to: "main-120" } });
  expect(text()).toContain("backout:data: before-main-99@1");
  expect(orders()).toEqual(["as 2f9c1d0", "as main-120"]);

  // Once more: a new generation; what is gone back to is that of the last rollout.
  order("again as main-120");
  expect(await verb("deploy", "main-99", "--yes")).toMatchObject({ code: 0, json: { from: "main-120" } });
  expect(text()).not.toContain("backout:scope");
  const marked = await verb("rollback", "--scope", "marked", "--to", "main-120", "--yes", "--no-block");
  expect(marked).toMatchObject({ code: 0, json: { scope: "marked" } });
  expect((await record()).last?.plan.databases["production"]).toMatchObject({ back: ["3_marks"], backBy: "mark" });
  await up([
    { path: ["release"], value: "main-99" },
    { path: ["schema"], value: "keep" },
  ]);
  const { last } = await record();
  // The scope of the rollback still stands in the file: pins that go forward are none of it.
  expect(last).toMatchObject({ plan: { scope: null, forward: true } });
  expect(last?.plan.misfit).toMatch(/backout:scope "marked" is not recorded: it is a rollback, and main-99 is newer than main-120/);
  const again = await verb("preview", "--scope", "full");
  expect(JSON.stringify(again.json!["lines"])).toContain("backout:data: before-main-99@3");
});
