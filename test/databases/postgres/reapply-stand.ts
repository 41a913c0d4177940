/** Scenes for putting rows back: a snapshot, what became of it, the restored live database, and the export. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { exportDifferences } from "../../../databases/postgres/export.ts";
import type { ReapplyConflict, ReapplyResult } from "../../../databases/postgres/reapply.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

export interface Scene {
  live: pg.Client;
  current: pg.Client;
  runId: string;
  name: string;
}

export interface ReapplyStand {
  readonly folder: string;
  start(): Promise<void>;
  /** A snapshot, what became of it (`since`), the restored live database (`meanwhile` happened there), and the export of the former. */
  scene(schema: string, since: string, meanwhile?: string): Promise<Scene>;
  open(database: string): Promise<pg.Client>;
  endSessions(): Promise<void>;
  remove(): Promise<void>;
}

export function reapplyStand(): ReapplyStand {
  let server: OwnServer;
  let folder = "";
  let turn = 0;
  const sessions: pg.Client[] = [];
  return {
    get folder() {
      return folder;
    },
    async start() {
      server = await ownServer();
      folder = await mkdtemp(join(tmpdir(), "backout-reapply-"));
    },
    async scene(schema, since, meanwhile = "") {
      const name = `scene_${++turn}`;
      const origin = await server.create(name);
      await origin.query(schema);
      await origin.end();
      const current = await server.create(`${name}_quarantine`, name);
      const live = await server.create(`${name}_live`, name);
      const base = await server.open(name);
      sessions.push(current, live, base);
      await current.query(since);
      await live.query(meanwhile);
      await exportDifferences({ base, current, folder, runId: name });
      return { live, current, runId: name, name };
    },
    async open(database) {
      const session = await server.open(database);
      sessions.push(session);
      return session;
    },
    async endSessions() {
      await Promise.all(sessions.splice(0).map((session) => session.end()));
    },
    async remove() {
      await server.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function conflictsOf({ conflictFile }: Pick<ReapplyResult, "conflictFile">): ReapplyConflict[] {
  if (conflictFile === null) return [];
  const lines = readFileSync(conflictFile, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as ReapplyConflict);
}

export function short(result: Pick<ReapplyResult, "conflictFile">): string[] {
  return conflictsOf(result)
    .map(({ table, op, key, reason }) => `${op} ${table} ${Object.values(key).join("/")}: ${reason}`)
    .sort();
}
