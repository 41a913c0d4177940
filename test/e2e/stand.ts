/** A stack of its own for one test file: the real engine, a real server, real processes, in a temporary folder. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { expect } from "vitest";
import { openState } from "../../databases/open-state.ts";
import type { CatalogueDatabase, Rollout, JournalEntry, Snapshot } from "../../config/record.ts";
import type { PostgresState } from "../../databases/postgres/state/store.ts";
import { catalogued, liveLineage, readySnapshots } from "../../databases/postgres/state/catalogue.ts";
import { missingStandbys } from "../../rollout/standby.ts";
import type { Lineage } from "../../config/plan.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import {
  GATE_PROCESS,
  endpointOf,
  gateFolder,
  gateStateFile,
  liveName,
  processFolder,
  secretOf,
  serverHome,
  type Site,
} from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { outsideOf } from "../../drill/outside.ts";
import { judgementOf, readJournal, startWitness, stopWitness, untilSeen } from "../../drill/witness-process.ts";
import type { Judgement } from "../../drill/witness/judge.ts";
import { readGateState, type GateState } from "../../traffic/state.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { sessionInside } from "../../databases/postgres/fence.ts";
import { observeServer, removeServer } from "../../databases/postgres/server.ts";
import { observeProcess, runningNames, stopProcess } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import type { Engine } from "../../scripts/pulumi/environment.ts";
import { mendFileBackend } from "../../scripts/pulumi/file-backend.ts";
import { isRunning } from "../../processes/identity.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { listPath, ORGANIZATION, TEST_USER, TEST_USER_SECRET } from "../../systems/pfa-vanguard/api.ts";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const SYSTEM = "pfa-vanguard";
export const LIVE = "pfa";

/** What one run of the engine came to. */
export interface Update {
  code: number;
  output: string;
  /** Resources by what was done to them, as the engine counts them: `created`, `updated`, `unchanged`, … */
  counts: Record<string, number>;
  seconds: number;
}

export type Victim = "cli" | "provider" | "postgres";

/** An update that stands at a failpoint. */
export interface Standing {
  /** Process id of the provider that stands there. */
  provider: number;
  /** Process id of the CLI. */
  cli: number;
  kill(victim: Victim): void;
  /** Lets whoever is still there go on. */
  go(): void;
  /** The CLI has ended. */
  exited: Promise<void>;
  /** What the engine says, once nobody holds its output open any more. */
  output: Promise<string>;
}

/** An update ended without coming to its failpoint. */
export class NotReachedError extends Error {
  readonly code: number | null;
  constructor(point: string, code: number | null, output: string) {
    super(`the update ended with ${code} without reaching ${point}:\n${output}`);
    this.name = "NotReachedError";
    this.code = code;
  }
}

export interface Interrupted {
  /** Process id of the provider that stood at the failpoint. */
  provider: number;
  /** What the engine said; empty where the CLI itself was killed. */
  output: string;
}

export interface VerbResult<T = Record<string, unknown>> {
  code: number;
  json: T;
  stderr: string;
}

export interface StandOptions {
  /** PFA Vanguard unless given; then what is said in its terms (ids, versions, logins) is of no use. */
  system?: string;
  /** The first release that is pinned. */
  release?: string;
  edits?: PinEdit[];
  /** Module that exports `definition`, written into the stand's folder from this text. */
  definition?: (folder: string) => string;
}

export type Stand = Awaited<ReturnType<typeof makeStand>>;

/** Makes the stack; nothing runs before the first `up`. Whatever happens, call `destroy`. */
export async function makeStand({ system = SYSTEM, release = "v3.0.0", edits = [], definition }: StandOptions = {}) {
  const engine = await ensureEngine({ log: () => undefined });
  const folder = await mkdtemp(join(tmpdir(), "backout-e2e-"));
  // The server runs as another user when the tests run as root.
  await chmod(folder, 0o755);
  const own: PinEdit[] = [
    { path: ["release"], value: release },
    { path: ["data"], value: "current" },
    ...["services", "flags", "maintenance", "blocked", "exact", "newWrites", "standby", "backups", "schema"].map((key): PinEdit => ({
      path: [key],
      value: undefined,
    })),
  ];
  if (definition !== undefined) {
    const module = join(folder, "definition.ts");
    writeFileSync(module, definition(folder));
    own.push({ path: ["definition"], value: module });
  }
  const stack = await makeEphemeralStack({ project: PROJECT, stack: system, folder, name: "e2e", engine, edits: [...own, ...edits] });
  const opened = await openStack(stackFile(stack.stack, folder));
  const site: Site = { ...opened.site, home: stack.home };
  const stand = { stack, site, definition: opened.definition, folder, engine };
  return {
    ...stand,
    ...engineOf(stand),
    ...databasesOf(stand),
    ...trafficOf(stand),
    ...witnessOf(stand),
    ...processesOf(stand),
    destroy: () => destroy(stand),
  };
}

interface Base {
  stack: EphemeralStack;
  site: Site;
  definition: SystemDefinition;
  folder: string;
  engine: Engine;
}

let interruptions = 0;

/** Pulumi and the verbs, as a user runs them. */
function engineOf({ stack, engine, site }: Base) {
  let selected = false;
  const text = (): string => readFileSync(stack.file, "utf8");
  const pin = (edits: PinEdit[]): void => writeFileSync(stack.file, editPins(text(), edits));
  const select = async (): Promise<void> => {
    if (selected) return;
    selected = true;
    const { code, output } = await runPulumi({
      project: stack.folder,
      stack: stack.stack,
      arguments: ["stack", "select", "--create"],
      environment: stack.environment,
    });
    if (code !== 0) throw new Error(output);
  };
  const pulumi = async (given: string[], environment: NodeJS.ProcessEnv = {}): Promise<Update> => {
    await select();
    const startedAt = performance.now();
    const { code, output } = await runPulumi({
      project: stack.folder,
      stack: stack.stack,
      arguments: given,
      environment: { ...stack.environment, ...environment },
    });
    return { code, output, counts: countsOf(output), seconds: (performance.now() - startedAt) / 1000 };
  };
  const up = (edits: PinEdit[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Update> => {
    pin(edits);
    return pulumi(["up", "--yes", "--skip-preview"], environment);
  };
  /** @throws with the engine's output where it did not succeed. */
  const upWell = async (edits: PinEdit[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Update> =>
    succeeded(await up(edits, environment));
  const child = (file: string, given: string[], environment: NodeJS.ProcessEnv = {}) =>
    spawn(file, given, {
      cwd: stack.folder,
      env: { ...process.env, ...stack.environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
  /** Starts an update and waits until it stands at a failpoint. */
  const hold = async (point: string, edits: PinEdit[], runId: string): Promise<Standing> => {
    await select();
    mendFileBackend(stack.environment["PULUMI_BACKEND_URL"], stack.stack, stack.folder);
    pin(edits);
    const points = await mkdtemp(join(stack.folder, "failpoint-"));
    const environment = {
      ...process.env,
      ...stack.environment,
      BACKOUT_FAILPOINT: point,
      BACKOUT_FAILPOINT_FOLDER: points,
      BACKOUT_RUN_ID: runId,
    };
    const given = ["up", "--yes", "--skip-preview", "--stack", stack.stack, "--non-interactive", "--color", "never"];
    const running = spawn(engine.pulumi, given, { cwd: stack.folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let code: number | null | undefined;
    const output = Promise.all([textOf(running.stdout), textOf(running.stderr)]).then((texts) => texts.join(""));
    const exited = new Promise<void>((resolve) =>
      running.once("exit", (status) => {
        code = status;
        resolve();
      }),
    );
    const reached = join(points, `${point}.reached`);
    await until(`the update stands at ${point}`, () => existsSync(reached) || code !== undefined);
    if (!existsSync(reached)) throw new NotReachedError(point, code ?? null, await output);
    await until("the provider has said who it is", () => readFileSync(reached, "utf8") !== "");
    const provider = Number(readFileSync(reached, "utf8"));
    const pidOf = { cli: () => running.pid!, provider: () => provider, postgres: () => observeServer(serverHome(site)).pid! };
    return {
      provider,
      cli: running.pid!,
      kill: (victim) => void process.kill(pidOf[victim](), "SIGKILL"),
      go: () => writeFileSync(join(points, `${point}.go`), ""),
      exited,
      output,
    };
  };
  /** Starts a verb and waits until its update stands at a failpoint. */
  const holdVerb = async (point: string, verb: string, ...more: string[]) => {
    const points = await mkdtemp(join(stack.folder, "failpoint-"));
    const script = join(PROJECT, "scripts", "backout.ts");
    const given = ["--disable-warning=ExperimentalWarning", script, verb, ...more, "--stack", stack.stack, "--json"];
    const running = child(process.execPath, given, { BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points });
    const output = ended(running);
    const reached = join(points, `${point}.reached`);
    const there = (): boolean => existsSync(reached) && readFileSync(reached, "utf8") !== "";
    await until(`${verb} stands at ${point}`, () => there() || running.exitCode !== null, 120_000);
    if (!there()) throw new NotReachedError(point, running.exitCode, Object.values(await output).join("\n"));
    const goOn = async () => {
      writeFileSync(join(points, `${point}.go`), "");
      return output;
    };
    return { running, output, provider: Number(readFileSync(reached, "utf8")), goOn };
  };
  return {
    text,
    pin,
    write: (content: string): void => writeFileSync(stack.file, content),
    pulumi,
    up,
    upWell,
    preview: (edits: PinEdit[] = [], ...more: string[]): Promise<Update> => {
      pin(edits);
      return pulumi(["preview", "--diff", ...more]);
    },
    hold,
    holdVerb,
    /**
     * Starts an update, waits until it stands at a failpoint, kills with SIGKILL, lets whoever survived go on, and waits for the CLI to end.
     * @param edits pins that are written first.
     * @param runId id of the run that is killed, by which its steps are known in the journal.
     */
    interrupt: async (
      point: string,
      victim: Victim,
      edits: PinEdit[] = [],
      runId = `interrupted-${++interruptions}`,
    ): Promise<Interrupted> => {
      const standing = await hold(point, edits, runId);
      standing.kill(victim);
      if (victim === "cli") await standing.exited;
      standing.go();
      await standing.exited;
      // Who outlives the CLI holds its output open.
      return { provider: standing.provider, output: victim === "cli" ? "" : await standing.output };
    },
    /** `npm run pulumi -- <command> … --stack …`, as a user types it; standard error is part of the output. */
    typed: async (command: string, ...more: string[]): Promise<{ code: number; output: string }> => {
      const script = join(PROJECT, "scripts", "pulumi.ts");
      const running = child(process.execPath, ["--disable-warning=ExperimentalWarning", script, command, "--stack", stack.stack, ...more]);
      const { code, stdout, stderr } = await ended(running);
      return { code, output: stdout + stderr };
    },
    /** Starts a verb, waits until its update stands at a failpoint, and kills it, its engine and the provider with SIGKILL. */
    killVerb: async (point: string, verb: string, ...more: string[]): Promise<void> => {
      const { running, provider } = await holdVerb(point, verb, ...more);
      const engines = readFileSync(`/proc/${running.pid!}/task/${running.pid!}/children`, "utf8").trim().split(" ").map(Number);
      for (const pid of [running.pid!, ...engines, provider]) process.kill(pid, "SIGKILL");
      await until("all of them are gone", () => ![running.pid!, ...engines, provider].some(isRunning));
    },
    /** Runs a verb whose provider is killed at a failpoint of its update. */
    verbLosingProvider: async <T = Record<string, unknown>>(point: string, verb: string, ...more: string[]): Promise<VerbResult<T>> => {
      const { provider, output } = await holdVerb(point, verb, ...more);
      process.kill(provider, "SIGKILL");
      const { code, stdout, stderr } = await output;
      return { code, json: parsed<T>(stdout, stderr), stderr };
    },
    removeStaleLocks: (): string[] => mendFileBackend(stack.environment["PULUMI_BACKEND_URL"], stack.stack, stack.folder),
    /** `backout <verb> … --stack … --json` */
    verb: async <T = Record<string, unknown>>(verb: string, ...more: string[]): Promise<VerbResult<T>> => {
      const running = child(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        join(PROJECT, "scripts", "backout.ts"),
        verb,
        ...more,
        "--stack",
        stack.stack,
        "--json",
      ]);
      const { code, stdout, stderr } = await ended(running);
      return { code, json: parsed<T>(stdout, stderr), stderr };
    },
  };
}

export function succeeded(update: Update): Update {
  if (update.code !== 0) throw new Error(`the update failed with ${update.code}:\n${update.output}`);
  return update;
}

function parsed<T>(stdout: string, stderr: string): T {
  try {
    return JSON.parse(stdout) as T;
  } catch (error) {
    throw new Error(`standard output is not one JSON document: ${stdout.slice(0, 500)}\n${stderr.slice(-2000)}`, { cause: error });
  }
}

async function ended(running: ChildProcessByStdio<null, Readable, Readable>): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr, code] = await Promise.all([
    textOf(running.stdout),
    textOf(running.stderr),
    new Promise<number>((resolve, reject) => {
      running.once("error", reject);
      running.once("close", (status) => resolve(status ?? -1));
    }),
  ]);
  return { code, stdout, stderr };
}

export async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function countsOf(output: string): Record<string, number> {
  const counts: Record<string, number> = {};
  const summary = /^Resources:\n((?: .*\n?)+)/m.exec(output)?.[1] ?? "";
  for (const [, count, what] of summary.matchAll(/(\d+) (?:to )?([a-z]+)/g)) counts[what!] = Number(count);
  return counts;
}

/** The databases, looked at by administrative sessions of the test's own. */
function databasesOf({ site, definition }: Base) {
  const endpoint = () => endpointOf(site);
  const live = liveName(site, Object.keys(definition.databases)[0] ?? LIVE);
  const session = <T>(name: string, work: (client: pg.Client) => Promise<T>): Promise<T> => withSession(endpoint(), name, work);
  const sql = <R extends pg.QueryResultRow>(text: string, values: unknown[] = [], name = live): Promise<R[]> =>
    session(name, async (client) => (await client.query<R>(text, values)).rows);
  const state = async <T>(work: (store: PostgresState) => Promise<T>): Promise<T> => {
    const store = (await openState(site, definition)) as PostgresState | null;
    if (store === null) throw new Error("there is no state database");
    return work(store).finally(() => store.end());
  };
  /** Inside a database that accepts no connections, such as a quarantine. */
  const inside = <R extends pg.QueryResultRow>(name: string, text: string, values: unknown[] = []): Promise<R[]> =>
    state(async (store) => {
      const client = await sessionInside(endpoint(), store.client, name);
      return client
        .query<R>(text, values)
        .then(({ rows }) => rows)
        .finally(() => client.end());
    });
  const catalogue = (): Promise<CatalogueDatabase[]> => state((store) => catalogued(store.client));
  return {
    live,
    session,
    sql,
    state,
    inside,
    catalogue,
    quarantines: async (): Promise<CatalogueDatabase[]> => (await catalogue()).filter(({ role }) => role === "quarantine"),
    snapshots: (): Promise<Snapshot[]> => state((store) => readySnapshots(store.client)),
    last: (): Promise<Rollout | null> => state((store) => store.lastRollout()),
    journal: (epoch: number): Promise<(JournalEntry & { at: string })[]> => state((store) => store.journal(epoch)),
    lineage: (): Promise<Lineage> => state(async (store) => (await liveLineage(store.client, live)).lineage),
    exports: (epoch: number): Promise<{ path: string; sha256: string; rows: string }[]> =>
      state(
        async (store) =>
          (
            await store.client.query<{ path: string; sha256: string; rows: string }>(
              "SELECT path, sha256, rows FROM exports WHERE epoch = $1 ORDER BY path",
              [epoch],
            )
          ).rows,
      ),
    untilStandby: () =>
      state(async (store) => {
        while ((await missingStandbys(store, "deploy")).length > 0) await pause(100);
      }),
    /** Which of `ids` are in no live database, no quarantine and no export: rows that are lost. */
    lost: async (ids: string[]): Promise<string[]> => {
      const kept = new Set<string>();
      const keep = (rows: { pfa_id: string }[]): void => rows.forEach(({ pfa_id }) => kept.add(pfa_id));
      keep(await sql("SELECT pfa_id FROM pfa_records"));
      for (const { name } of (await catalogue()).filter(({ role }) => role === "quarantine"))
        keep(await inside(name, "SELECT pfa_id FROM pfa_records"));
      for (const file of filesBelow(join(site.home, "exports")).filter((path) => /pfa_records[^/]*\.jsonl$/.test(path)))
        for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
          const row = (JSON.parse(line) as { row: { pfa_id?: string } | null }).row;
          if (row?.pfa_id !== undefined) kept.add(row.pfa_id);
        }
      return ids.filter((id) => !kept.has(id));
    },
  };
}

/** The system as its users see it, through the gate. */
function trafficOf({ site }: Base) {
  const url = (service: string): string => `http://127.0.0.1:${site.ports[service]}`;
  const ask = (path: string, init: RequestInit = {}, service = "backend"): Promise<Response> =>
    fetch(`${url(service)}${path}`, { signal: AbortSignal.timeout(5_000), ...init });
  const login = async (): Promise<string> => {
    const response = await ask("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: TEST_USER, password: secretOf(site, TEST_USER_SECRET) }),
    });
    if (response.status !== 200) throw new Error(`login answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { token: string }).token;
  };
  const insert = async (token: string, id: string, description = "written by a test"): Promise<Response> => {
    const response = await ask("/api/pfa-data", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({
        organizationId: ORGANIZATION,
        pfaId: id,
        category: "Equipment",
        description,
        monthlyRate: 100,
        durationMonths: 2,
      }),
    });
    return response;
  };
  return {
    url,
    ask,
    login,
    insert,
    /** Inserts and insists on the acknowledgement. */
    insertWell: async (...ids: string[]): Promise<void> => {
      const token = await login();
      for (const id of ids) {
        const response = await insert(token, id);
        if (response.status !== 200) throw new Error(`${id} was answered ${response.status}: ${await response.text()}`);
        await response.arrayBuffer();
      }
    },
    update: async (id: string, description: string): Promise<void> => {
      const response = await ask(`/api/pfa-data/${id}`, {
        method: "PUT",
        headers: { "content-type": "application/json", authorization: `Bearer ${await login()}` },
        body: JSON.stringify({ description }),
      });
      if (response.status !== 200) throw new Error(`${id} was answered ${response.status}`);
    },
    /** Every row's id, in order: from the export, because a list is cut off. */
    ids: async (): Promise<string[]> => {
      const response = await ask(listPath({ sort: "pfaId", format: "csv" }), { headers: { authorization: `Bearer ${await login()}` } });
      if (response.status !== 200) throw new Error(`the export was answered ${response.status}`);
      const [header, ...lines] = (await response.text()).trim().split(/\r?\n/);
      const column = header!.split(",").indexOf("pfaId");
      return lines.map((line) => line.split(",")[column]!.replaceAll('"', ""));
    },
    /** Release of the backend that answers; null where none does or users are kept out. */
    version: async (): Promise<string | null> => {
      const response = await ask("/health").catch(() => null);
      return response?.status === 200 ? ((await response.json()) as { version: string }).version : null;
    },
    frontendVersion: async (): Promise<string> =>
      ((await (await ask("/version.json", {}, "frontend")).json()) as { version: string }).version,
    gate: (): GateState | null => readGateState(gateStateFile(site)),
  };
}

/** The drill's witness at work. */
export interface Watched {
  /** Resolves once `more` further writes have been acknowledged. */
  acknowledged(more: number): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and has it judge: live, what the rollout set aside, and what it exported. */
  judgement(epoch: number): Promise<Judgement>;
}

/** The drill's witness: a process of its own with its own HTTP and SQL, that remembers every acknowledged insert, update and delete. */
function witnessOf(stand: Base) {
  const { folder, site, definition } = stand;
  return {
    /** Judges one restore: begin one for each. */
    witness: async (): Promise<Watched> => {
      const own = await mkdtemp(join(folder, "witness-"));
      const script = definition.drill.witness;
      const run = await startWitness({ drill: own }, script, `http://127.0.0.1:${site.ports[script.service]}`, (name) =>
        secretOf(site, name),
      );
      return {
        acknowledged: async (more) => {
          const enough = readJournal(run).acknowledgedAt.length + more;
          if (await untilSeen(run, ({ acknowledgedAt }) => acknowledgedAt.length >= enough, 60_000)) return;
          throw new Error(`the witness did not have ${more} more writes acknowledged`);
        },
        stop: () => stopWitness(run),
        judgement: async (epoch) => {
          await stopWitness(run);
          const outside = await outsideOf(stand);
          const quarantines = (await outside.quarantines(epoch)).map(({ place }) => place);
          const exported = await databasesOf(stand).exports(epoch);
          return outside.withDoors(quarantines, () =>
            judgementOf(run, {
              live: outside.addressOf(Object.values(outside.live)[0]!),
              quarantines: quarantines.map((place) => outside.addressOf(place)),
              exports: exported.map(({ path }) => path).filter((path) => path.endsWith(".jsonl")),
            }),
          );
        },
      };
    },
  };
}

/** What the witness has to say where nothing went wrong: every write it was promised is there with its content, in the exports, too. */
export function expectNothingLost(judgement: Judgement): void {
  const { lost, wrong, resurrected, problems, acknowledged, accountedFor } = judgement;
  expect({ lost, wrong, resurrected, problems, missing: judgement.exports.missing }).toEqual({
    lost: [],
    wrong: [],
    resurrected: [],
    problems: [],
    missing: [],
  });
  expect(accountedFor.nowhere).toBe(0);
  // A witness that was promised nothing has nothing to say.
  expect(Math.min(acknowledged.inserts, acknowledged.updates, acknowledged.deletes), JSON.stringify(acknowledged)).toBeGreaterThan(0);
  expect(accountedFor.quarantine, JSON.stringify(judgement.databases)).toBeGreaterThan(0);
  expect(judgement.exports.found).toBeGreaterThan(0);
}

/** What runs on this machine. */
function processesOf({ site }: Base) {
  const pids = (): Record<"server" | "gate" | "backend" | "worker", number | null> => ({
    server: observeServer(serverHome(site)).pid,
    gate: observeProcess(gateFolder(site), GATE_PROCESS).pid,
    backend: observeProcess(processFolder(site), "backend").pid,
    worker: observeProcess(processFolder(site), "worker").pid,
  });
  return { pids, observe: (service: string) => observeProcess(processFolder(site), service) };
}

/** Everything the stack made goes; what the engine leaves behind is ended by hand. */
async function destroy({ stack, site, folder }: Base): Promise<void> {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith("witness-")))
    await stopWitness({ drill: join(folder, name), folder: join(folder, name) });
  // Where a test failed, somebody may still stand at a failpoint.
  for (const file of filesBelow(stack.folder).filter((path) => path.endsWith(".reached")))
    writeFileSync(file.replace(/\.reached$/, ".go"), "");
  const { PULUMI_BACKEND_URL: backend } = stack.environment;
  mendFileBackend(backend, stack.stack, stack.folder);
  await runPulumi({
    project: stack.folder,
    stack: stack.stack,
    arguments: ["destroy", "--yes", "--skip-preview"],
    environment: stack.environment,
  }).catch(() => undefined);
  for (const folder of [processFolder(site), gateFolder(site)])
    for (const name of existsSync(folder) ? runningNames(folder) : []) await stopProcess(folder, name, 1_000);
  await removeServer(serverHome(site)).catch(() => undefined);
  await rm(stack.folder, { recursive: true, force: true });
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a state that must come; the test's own limit ends it. */
export async function until(what: string, there: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
  const startedAt = Date.now();
  while (!(await there())) {
    if (Date.now() - startedAt > limitMs) throw new Error(`after ${limitMs / 1000} s still not so: ${what}`);
    await pause(25);
  }
}

/** The pins of a rollback with everything, as a person writes them. */
export const PINS = {
  forward: [
    { path: ["release"], value: "v4.0.0" },
    { path: ["data"], value: "current" },
    { path: ["schema"], value: "keep" },
    { path: ["services"], value: undefined },
    { path: ["flags"], value: undefined },
    { path: ["maintenance"], value: undefined },
    { path: ["newWrites"], value: undefined },
    { path: ["blocked"], value: undefined },
    { path: ["scope"], value: undefined },
  ],
  restore: (snapshot: string) => [
    { path: ["release"], value: "v3.0.0" },
    { path: ["services", "worker", "run"], value: "off" },
    { path: ["data"], value: snapshot },
    { path: ["scope"], value: "restore" },
  ],
} satisfies { forward: PinEdit[]; restore: (snapshot: string) => PinEdit[] };
