/** A server of a test file's own, in it a new database for every test, and migrations of every test in a folder. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { Migration } from "../../../databases/shared/migrations/script.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

export interface MigrationStand {
  /** A session in the database of the test that runs. */
  readonly client: pg.Client;
  /** Number of the test that runs: for names that the whole server has once. */
  readonly turn: number;
  readonly folder: string;
  /** Another session in the same database. */
  open: () => Promise<pg.Client>;
  /** Writes the scripts; a name written before gets new ones. */
  migration: (name: string, up: string, down?: string) => Promise<Migration>;
}

/** Called at the top of a test file. */
export function migrationStand(ledger?: Migration["ledger"]): MigrationStand {
  let server: OwnServer;
  let folder: string;
  let client: pg.Client;
  let turn = 0;
  beforeAll(async () => {
    server = await ownServer();
    folder = await mkdtemp(join(tmpdir(), "backout-migrations-"));
  }, 120_000);
  beforeEach(async () => {
    client = await server.create(`m_${++turn}`);
  });
  afterAll(async () => {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get client() {
      return client;
    },
    get turn() {
      return turn;
    },
    get folder() {
      return folder;
    },
    open: () => server.open(`m_${turn}`),
    migration: async (name, up, down) => {
      const place = join(folder, `${turn}`, name);
      await mkdir(place, { recursive: true });
      await writeFile(join(place, "migration.sql"), up);
      if (down !== undefined) await writeFile(join(place, "down.sql"), down);
      return { name, folder: place, ...(ledger === undefined ? {} : { ledger }) };
    },
  };
}
