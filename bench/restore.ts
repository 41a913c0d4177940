/** Write unavailability of a restore, with a standby copy and without, against the manual's way, on one server with the same rows. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PostgresState } from "../databases/postgres/state/store.ts";
import { hasStandby } from "../rollout/standby.ts";
import type { PinEdit } from "../config/edit.ts";
import { deployEdits, scopeEdits } from "../config/scope.ts";
import { stateDatabase, endpointOf, liveName, ownerRole, servicesUrl } from "../config/site.ts";
import { withSession } from "../databases/postgres/connection.ts";
import { qualified, quote } from "../databases/shared/identifiers.ts";
import { accessTo } from "../test/support/access.ts";
import { manualWay, type ManualWay } from "./manual-restore.ts";
import type { Measured } from "./results.ts";
import { NO_PEER, type BenchServer } from "./server.ts";
import { benchStack, neutralEdits, type BenchStack, type StackSource } from "./stack.ts";
import { SqlWriter } from "./writer.ts";
import { drillOf } from "../config/system/drill.ts";

const TABLE = "bench_writes";
const ARMING_PATIENCE_MS = 900_000;
const AGAINST = "stop, DROP, CREATE, pg_restore -j2";

export interface RestoreOptions {
  source: StackSource;
  rows: number;
  repetitions: number;
  driver: "template" | "dump";
  /** Null: the stack's own embedded server, which has no client tools for the peer. */
  server: BenchServer | null;
  say: (line: string) => void;
}

interface Restored {
  seconds: number;
  cutOverMs: number;
  keptOutSeconds: number;
}

export async function measureRestores({ source, rows, repetitions, driver, server, say }: RestoreOptions): Promise<Measured[]> {
  const stack = await benchStack({ ...source, edits: [...neutralEdits(drillOf(source.definition).to), ...serverEdits(server, driver)] });
  try {
    const database = await prepare(stack, rows, say);
    const manual = server === null ? null : await manualWay(server, liveName(stack.site, database), stack.site.home);
    stack.pin(deployEdits(stack.definition, drillOf(stack.definition).from));
    await stack.up({ preview: false });
    const [standby, withoutStandby, peer]: [Restored[], Restored[], number[]] = [[], [], []];
    for (let turn = 0; turn < repetitions * 2; turn++) {
      const last = turn >= repetitions - 1;
      if (turn < repetitions) await untilStandby(stack);
      const restored = await restore(stack, database, turn, last ? "never" : "deploy");
      (turn < repetitions ? standby : withoutStandby).push(restored);
      say(
        `  ${turn < repetitions ? "standby" : "no standby copy"}: ${restored.seconds.toFixed(3)} s without writes, cut-over ${restored.cutOverMs.toFixed(1)} ms`,
      );
      if (manual === null || turn >= repetitions) continue;
      if (!last) await untilStandby(stack);
      peer.push(await restoreByHand(stack, database, manual));
      say(`  by hand: ${peer.at(-1)!.toFixed(3)} s without writes`);
    }
    const measured = (name: Measured["name"], of: Restored[]): Measured => ({
      name,
      rows,
      against: AGAINST,
      ours: of.map(({ seconds }) => seconds),
      peer,
      ...(server === null ? { peerMissing: NO_PEER } : {}),
      cutOverMs: of.map(({ cutOverMs }) => cutOverMs),
      keptOutSeconds: of.map(({ keptOutSeconds }) => keptOutSeconds),
    });
    return [measured("restore-standby", standby), measured("restore-no-standby", withoutStandby)];
  } finally {
    await stack.remove();
  }
}

function serverEdits(server: BenchServer | null, driver: RestoreOptions["driver"]): PinEdit[] {
  return server === null ? [] : [{ path: ["server"], value: { ...server.endpoint, driver } }];
}

/** The older release with its rows, and the table the writer writes to. Resolves with the database's name in the definition. */
async function prepare(stack: BenchStack, rows: number, say: RestoreOptions["say"]): Promise<string> {
  const { site, definition } = stack;
  const database = Object.keys(definition.databases)[0]!;
  await stack.up({ preview: false });
  say(`  ${rows.toLocaleString("en")} rows`);
  await withSession(endpointOf(site), liveName(site, database), async (client) => {
    await drillOf(definition).seed(accessTo(client), rows);
    // Made by the owner, so that the services' role may write to it.
    await client.query(`SET ROLE ${quote(ownerRole(site))}`);
    await client.query(`CREATE TABLE ${qualified(TABLE)} (at timestamptz NOT NULL)`);
  });
  return database;
}

/** A whole rollback by `pulumi up`, on the snapshot of the deployment; from the second on the same one `again`. */
async function restore(stack: BenchStack, database: string, turn: number, standby: "deploy" | "never"): Promise<Restored> {
  const { definition, site } = stack;
  const [scope] = Object.entries(definition.scopes).find(([, { pins }]) => pins.data === "snapshot") ?? [];
  if (scope === undefined) throw new Error(`${definition.name} has no scope that restores data: there is nothing to measure`);
  const snapshot = await withState(stack, async (state) => (await state.readySnapshots()).at(-1));
  if (snapshot === undefined) throw new Error("the deployment took no snapshot");
  const name = `${snapshot.name}@${snapshot.generation}`;
  stack.pin(scopeEdits(definition, { scope, to: drillOf(definition).to, snapshots: { [database]: name }, block: null }));
  stack.pin([
    { path: ["data"], value: turn === 0 ? name : { snapshot: name, again: turn } },
    { path: ["standby"], value: standby },
  ]);
  const seconds = await pause(stack, servicesUrl(site, database), () => stack.up({ preview: false }));
  return { seconds, ...(await fromJournal(stack)) };
}

async function restoreByHand(stack: BenchStack, database: string, manual: ManualWay): Promise<number> {
  const url = new URL(servicesUrl(stack.site, database));
  url.pathname = `/${encodeURIComponent(manual.database)}`;
  return pause(stack, url.href, () => manual.restore());
}

async function pause({ site }: BenchStack, connectionString: string, work: () => Promise<unknown>): Promise<number> {
  // Neither side pays for what seeding or the other one left to be written.
  await withSession(endpointOf(site), "postgres", (client) => client.query("CHECKPOINT"));
  const writer = new SqlWriter(connectionString, TABLE);
  try {
    return await writer.pauseDuring(async () => void (await work()));
  } finally {
    await writer.stop();
  }
}

async function fromJournal(stack: BenchStack): Promise<Pick<Restored, "cutOverMs" | "keptOutSeconds">> {
  const [rollout, journal] = await withState(stack, async (state) => {
    const last = await state.lastRollout();
    return [last, last === null ? [] : await state.journal(last.epoch)] as const;
  });
  const cut = journal.find(({ phase, step, status }) => phase === "data" && step.startsWith("cut over") && status === "finished");
  const cutOverMs = (cut?.detail as { cutOverMs?: number } | null | undefined)?.cutOverMs;
  if (cutOverMs === undefined || rollout?.openedAt == null)
    throw new Error("the journal has no cut-over that was opened: nothing was restored");
  return { cutOverMs, keptOutSeconds: (Date.parse(rollout.openedAt) - Date.parse(rollout.startedAt)) / 1000 };
}

export async function untilStandby(stack: BenchStack): Promise<void> {
  const giveUpAt = Date.now() + ARMING_PATIENCE_MS;
  for (;;) {
    const standby = await withState(stack, async (state) => {
      const newest = (await state.readySnapshots()).at(-1);
      return newest !== undefined && (await hasStandby(state, newest));
    });
    if (standby) return;
    if (Date.now() > giveUpAt) {
      const log = await readFile(join(stack.site.home, "standby", "standby.log"), "utf8").catch(() => "");
      throw new Error(`the snapshot had no standby copy within ${ARMING_PATIENCE_MS / 60_000} minutes: ${log.slice(-1_000)}`);
    }
    await sleep(200);
  }
}

async function withState<T>({ site, definition }: BenchStack, work: (state: PostgresState) => Promise<T>): Promise<T> {
  const state = await PostgresState.open(endpointOf(site), stateDatabase(site, definition));
  if (state === null) throw new Error(`the stack ${site.stack} has no state database`);
  try {
    return await work(state);
  } finally {
    await state.end();
  }
}
