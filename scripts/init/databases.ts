/** The databases of a system: of the compose file, of a given url, or of what its programs use. */
import { readdirSync } from "node:fs";
import { relative, resolve } from "node:path";
import { UsageError } from "../../config/errors.ts";
import { textOf } from "./files.ts";
import { plainName, type FoundDatabase } from "./found.ts";
import { findMigrations } from "./migrations.ts";

const POSTGRES = /\b(?:pg|postgres|postgresql|psycopg2?(?:-binary)?|asyncpg|pg8000|pgx|lib\/pq|node-pg-migrate)\b/i;
const SQLITE = /\b(?:better-sqlite3|sqlite3?|aiosqlite|go-sqlite3|modernc\.org\/sqlite)\b/i;
const FILE = /\.(?:db|sqlite3?)$/;

/** @param url of PostgreSQL or of a SQLite file. @throws UsageError for any other */
export function databaseOfUrl(url: string, folder: string): FoundDatabase {
  const from = "--database-url";
  const file = /^(?:sqlite3?:|file:)(?:\/\/(?=\/|[^/]))?(.+)$/.exec(url)?.[1] ?? (FILE.test(url) && !url.includes("://") ? url : undefined);
  if (file !== undefined) {
    // `sqlite:///data.db` is relative, `sqlite:////srv/data.db` absolute.
    const path = relative(folder, resolve(folder, /^\/\/?[^/]/.test(file) && url.startsWith("sqlite:///") ? file.slice(1) : file)).split(
      "?",
    )[0]!;
    return { name: plainName(path.replace(/^.*\//, "").replace(FILE, "")), live: path, engine: "sqlite", from, file: path, hosts: [] };
  }
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^postgres(?:ql)?(?:\+\w+)?:$/.test(parsed.protocol))
    throw new UsageError(
      "--database-url: write it as postgresql://user@host:5432/database, or as sqlite:path/of/file.db; nothing was written",
    );
  const live = decodeURIComponent(parsed.pathname.slice(1));
  const user = decodeURIComponent(parsed.username);
  if (live === "" || user === "" || parsed.hostname === "")
    throw new UsageError(
      "--database-url: it must name user, host and database, e.g. postgresql://admin@127.0.0.1:5432/shop; nothing was written",
    );
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return { name: live, live, engine: "postgres", from, server: { host, port: Number(parsed.port || 5432), user }, hosts: [host] };
}

/** What programs use, as the text of their packages says. @returns null: no database is known of */
export function databaseOfPackages(folder: string, system: string, packages: string): FoundDatabase | null {
  const prisma = /provider\s*=\s*"(postgresql|sqlite)"/.exec(textOf(folder, "prisma", "schema.prisma") ?? "")?.[1];
  const base = { name: system, live: system, hosts: [] };
  if (prisma === "postgresql" || (prisma === undefined && POSTGRES.test(packages)))
    return { ...base, engine: "postgres", from: "the packages in use" };
  const file = readdirSync(folder).find((name) => FILE.test(name));
  if (prisma !== "sqlite" && file === undefined && !SQLITE.test(packages)) return null;
  return { ...base, engine: "sqlite", from: file ?? "the packages in use", ...(file === undefined ? {} : { file }) };
}

/** The migrations belong to the only database; of several to the first, and a note says so. */
export function withMigrations(folder: string, databases: FoundDatabase[], system: string, notes: string[]): FoundDatabase[] {
  const [migrations, ...others] = findMigrations(folder);
  if (migrations === undefined) return databases;
  for (const { folder: other } of others) notes.push(`${other} holds migrations, too: name it at its database, or leave it out`);
  const assumed: FoundDatabase = { name: system, live: system, engine: "postgres", from: migrations.folder, hosts: [] };
  const [first = assumed, ...rest] = databases;
  if (rest.length > 0)
    notes.push(`${migrations.folder} is taken for the migrations of ${first.name}: move the line if they are another database's`);
  return [{ ...first, migrations }, ...rest];
}
