/** The drill's own inspection of the databases on a server. */
import pg from "pg";
import { stateDatabase, endpointOf, liveName } from "../config/site.ts";
import type { QuarantineFacts } from "./checks.ts";
import { inDatabase, readContents, type Address } from "./contents.ts";
import { countDifferences } from "./differences.ts";
import { timesOf, type JournalTimes, type Outside } from "./outside-view.ts";
import type { Stage } from "./stage.ts";

export function serverOutside({ site, definition }: Stage): Outside {
  const { host, port, user, password, passwordFile } = endpointOf(site);
  const address: Address = {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
  };
  const state = stateDatabase(site, definition);
  return {
    live: Object.fromEntries(Object.keys(definition.databases).map((database) => [database, liveName(site, database)])),
    contents: (place, without) => inDatabase(address, place, (client) => readContents(client, without)),
    differences: (base, current) =>
      inDatabase(address, base, (before) => inDatabase(address, current, (after) => countDifferences(before, after))),
    exists: (place) => databaseExists(address, place),
    quarantines: async (epoch) => (await quarantinesOf(address, state, epoch)).map((found) => ({ ...found, place: found.name })),
    pristine: (database, pin) => pristineOf(address, state, database, pin),
    journalTimes: (epoch) => journalTimes(address, state, epoch),
    quarantineFacts: (quarantine, script, prefix) => quarantineFacts(address, quarantine?.place ?? null, script, prefix),
    withDoors: (places, work) => withDoors(address, places, work),
    addressOf: (place) => ({ ...address, database: place }),
  };
}

async function databaseExists(address: Address, database: string): Promise<boolean> {
  return inDatabase(
    address,
    "postgres",
    async (client) => (await client.query("SELECT FROM pg_database WHERE datname = $1", [database])).rowCount === 1,
  );
}

/** Lets the drill and its witness connect to closed databases, and closes them again afterwards. */
async function withDoors<T>(address: Address, databases: readonly string[], work: () => Promise<T>): Promise<T> {
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
async function quarantineFacts(
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

/** Times of a rollout's steps, from the journal beside the data. */
async function journalTimes(address: Address, state: string, epoch: number): Promise<JournalTimes> {
  const { rows } = await inDatabase(address, state, (client) =>
    client.query<{ phase: string; kind: string; status: string; at: Date }>(
      "SELECT phase, kind, status, at FROM journal WHERE epoch = $1 ORDER BY id",
      [epoch],
    ),
  );
  return timesOf(rows.map(({ at, ...row }) => ({ ...row, atMs: at.getTime() })));
}

/** The pristine database of a restore; null: the snapshot is no database. */
async function pristineOf(address: Address, state: string, database: string, pin: string): Promise<string | null> {
  const [name, generation] = pin.split("@");
  const { rows } = await inDatabase(address, state, (client) =>
    client.query<{ location: string }>(
      "SELECT location FROM snapshots WHERE database = $1 AND name = $2 AND generation = $3 AND driver = 'template'",
      [database, name, Number(generation ?? 1)],
    ),
  );
  return rows[0]?.location ?? null;
}

/** Databases that a rollout set aside. */
async function quarantinesOf(address: Address, state: string, epoch: number): Promise<{ name: string; database: string }[]> {
  return inDatabase(address, state, async (client) => {
    const { rows } = await client.query<{ name: string; database: string }>(
      "SELECT name, database FROM databases WHERE role = 'quarantine' AND epoch = $1 ORDER BY name",
      [epoch],
    );
    return rows;
  });
}
