/** What is seen of a rolled-back system from outside: which release answers, what lies in the exports, what the server still holds. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import pg from "pg";
import type { ExportFacts, QuarantineFacts, SeenRelease, CrossingTimes } from "./checks.ts";
import { inDatabase, type Address } from "./contents.ts";
import { pinsNow, urlOf, type Stage } from "./stage.ts";

/** Services by the version of their health endpoint, static sites by the metadata of their page. */
export async function releasesOutside(stage: Stage): Promise<SeenRelease[]> {
  const { pins } = await pinsNow(stage);
  const { definition, site } = stage;
  const seen: SeenRelease[] = [];
  for (const [component, pin] of Object.entries(pins.components)) {
    const described = definition.components[component];
    const behindGate = Object.hasOwn(definition.listeners, component);
    if (described === undefined || (described.health === undefined && described.kind !== "static")) continue;
    if (!behindGate && site.ports[component] === undefined) continue;
    const path = described.kind === "static" ? "/" : (described.health?.path ?? "/");
    const release = versionIn(await textAt(`${urlOf(stage, component)}${path}`), described.kind === "static");
    seen.push({ component, pinned: pin.run || described.kind === "static" ? pin.release : null, seen: release });
  }
  return seen;
}

async function textAt(url: string): Promise<string | null> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  } catch {
    return null;
  }
}

export function versionIn(text: string | null, page: boolean): string | null {
  if (text === null) return null;
  if (page) return /<meta\s+name="version"\s+content="([^"]*)"/.exec(text)?.[1] ?? "a page without version";
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === "string" ? version : "something without version";
  } catch {
    return "something without version";
  }
}

/** Each recorded file, read again. */
export async function exportsOutside(
  files: readonly { path: string; sha256: string; rows: number }[],
  runId: string,
): Promise<ExportFacts[]> {
  return Promise.all(
    files.map(async ({ path, sha256, rows }) => {
      const kind = path.endsWith(".csv") ? ("csv" as const) : ("jsonl" as const);
      const stem = basename(path).replace(/\.(jsonl|csv)$/, "");
      // A rollback that was finished by another run has its files from the one that began it.
      const begun = [runId, basename(dirname(dirname(path)))].find((id) => stem.startsWith(`${id}.`));
      const table = begun === undefined ? null : decodeURIComponent(stem.slice(begun.length + 1));
      return { path, table, kind, recorded: { sha256, rows }, found: await contentsOf(path, kind).catch(() => null) };
    }),
  );
}

async function contentsOf(path: string, kind: "jsonl" | "csv"): Promise<ExportFacts["found"]> {
  const bytes = await readFile(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const text = bytes.toString("utf8");
  // A line break inside quotes ends no record; quotes inside quotes come in pairs.
  if (kind === "csv") return { sha256, rows: (text.replaceAll(/"[^"]*"/g, "").match(/\n/g)?.length ?? 0) - 1, operations: null };
  const operations = { inserted: 0, updated: 0, deleted: 0 };
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const { op } = JSON.parse(line) as { op: "insert" | "update" | "delete" };
    operations[({ insert: "inserted", update: "updated", delete: "deleted" } as const)[op]] += 1;
  }
  return { sha256, rows: lines.length, operations };
}

export async function databaseExists(address: Address, database: string): Promise<boolean> {
  return inDatabase(
    address,
    "postgres",
    async (client) => (await client.query("SELECT FROM pg_database WHERE datname = $1", [database])).rowCount === 1,
  );
}

/** Lets the drill and its witness into databases nobody may enter, and keeps them out again afterwards. */
export async function withDoors<T>(address: Address, databases: readonly string[], work: () => Promise<T>): Promise<T> {
  const set = (names: readonly string[], allowed: boolean): Promise<void> =>
    inDatabase(address, "postgres", async (client) => {
      for (const name of names) await client.query(`ALTER DATABASE ${pg.escapeIdentifier(name)} ALLOW_CONNECTIONS ${allowed}`);
    });
  const closed = await inDatabase(address, "postgres", async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname = ANY ($1) AND NOT datallowconn",
      [databases],
    );
    return rows.map(({ name }) => name);
  });
  await set(closed, true);
  try {
    return await work();
  } finally {
    await set(closed, false).catch(() => undefined);
  }
}

/** The witness's rows in a quarantine. */
export async function quarantineFacts(
  address: Address,
  name: string | null,
  script: { table: string; key: string },
  prefix: string,
): Promise<QuarantineFacts> {
  if (name === null || !(await databaseExists(address, name))) return { name, exists: false, witnessRows: 0 };
  const table = script.table
    .split(".")
    .map((part) => pg.escapeIdentifier(part))
    .join(".");
  const witnessRows = await inDatabase(address, name, async (client) => {
    const { rows } = await client.query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM ${table} WHERE starts_with(${pg.escapeIdentifier(script.key)}::text, $1)`,
      [prefix],
    );
    return rows[0]?.rows ?? 0;
  });
  return { name, exists: true, witnessRows };
}

export interface JournalTimes extends CrossingTimes {
  /** First start and last end of each phase, milliseconds of wall clock. */
  phases: Record<string, { from: number; to: number }>;
}

/** When what happened in a crossing, from the journal beside the data. */
export async function journalTimes(address: Address, control: string, epoch: number): Promise<JournalTimes> {
  const { rows } = await inDatabase(address, control, (client) =>
    client.query<{ phase: string; step: string; status: string; at: Date }>(
      "SELECT phase, step, status, at FROM journal WHERE epoch = $1 ORDER BY id",
      [epoch],
    ),
  );
  const phases: JournalTimes["phases"] = {};
  for (const { phase, at } of rows) phases[phase] = { from: phases[phase]?.from ?? at.getTime(), to: at.getTime() };
  const last = (phase: string): number | null =>
    rows.findLast((row) => row.phase === phase && row.status === "finished" && row.step !== "results")?.at.getTime() ?? null;
  return { fencedAt: last("fence"), verifiedAt: last("verify"), phases };
}

/** The pristine database a restore went back to; null where the snapshot is no database. */
export async function pristineOf(address: Address, control: string, database: string, pin: string): Promise<string | null> {
  const [name, generation] = pin.split("@");
  const { rows } = await inDatabase(address, control, (client) =>
    client.query<{ location: string }>(
      "SELECT location FROM snapshots WHERE database = $1 AND name = $2 AND generation = $3 AND driver = 'template'",
      [database, name, Number(generation ?? 1)],
    ),
  );
  return rows[0]?.location ?? null;
}

/** Databases that a crossing set aside. */
export async function quarantinesOf(address: Address, control: string, epoch: number): Promise<{ name: string; database: string }[]> {
  return inDatabase(address, control, async (client) => {
    const { rows } = await client.query<{ name: string; database: string }>(
      "SELECT name, database FROM databases WHERE role = 'quarantine' AND epoch = $1 ORDER BY name",
      [epoch],
    );
    return rows;
  });
}
