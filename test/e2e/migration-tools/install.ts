/** The real migration tools, installed once from their package registries into a cache outside of the repository. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const CACHE = process.env["BACKOUT_TEST_TOOLS"] ?? join(homedir(), ".cache", "backout", "migration-tools");

export const PYTHON = join(CACHE, "python");
export const NODE = join(CACHE, "node");
export const DBMATE = join(CACHE, "dbmate");
export const PRISMA = join(CACHE, "prisma");
export const GO = join(CACHE, "go");

/** Fixed, so that a new version of a tool fails where it is raised and not somewhere else. */
const PYTHON_PACKAGES = ["alembic>=1.13,<2", "django>=4.2,<7", "psycopg[binary]>=3.1,<4", "sqlalchemy>=2,<3"];
const NODE_PACKAGES = ["knex@3", "pg@8", "typeorm", "reflect-metadata", "drizzle-orm"];
/** This version has the schema engine as WebAssembly beside the one that it downloads, and an adapter through which it reaches the database. */
const PRISMA_PACKAGES = ["prisma@6.19.3", "@prisma/adapter-pg@6.19.3"];
const GO_PACKAGES: Record<string, [string, string]> = {
  migrate: ["github.com/golang-migrate/migrate/v4/cmd/migrate@v4.18.1", "postgres"],
  goose: ["github.com/pressly/goose/v3/cmd/goose@v3.24.1", "no_clickhouse,no_libsql,no_mssql,no_mysql,no_vertica,no_ydb,no_sqlite3"],
};

/** An installation that takes longer counts as not available. Milliseconds. */
const PATIENCE_MS = 600_000;

function run(program: string, args: string[], folder: string, environment: Record<string, string> = {}): string | null {
  const { status, error, stderr } = spawnSync(program, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    timeout: PATIENCE_MS,
  });
  if (status === 0) return null;
  const said = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
  return `${program} ${args.slice(0, 2).join(" ")} did not succeed: ${said}`;
}

/** @returns why it is not there; null: it is */
export function python(): string | null {
  if (existsSync(join(PYTHON, "bin", "alembic")) && existsSync(join(PYTHON, "bin", "django-admin"))) return null;
  mkdirSync(CACHE, { recursive: true });
  return (
    run("python3", ["-m", "venv", PYTHON], CACHE) ?? run(join(PYTHON, "bin", "pip"), ["install", "--quiet", ...PYTHON_PACKAGES], CACHE)
  );
}

/** @returns why it is not there; null: it is */
export const node = (): string | null => fromNpm(NODE, NODE_PACKAGES);

/** @returns why it is not there; null: it is */
export const prisma = (): string | null => fromNpm(PRISMA, PRISMA_PACKAGES);

/** Its package has the program itself. @returns why it is not there; null: it is */
export const dbmate = (): string | null => fromNpm(DBMATE, ["dbmate@2"]);

function fromNpm(folder: string, packages: string[]): string | null {
  const names = packages.map((name) => name.replace(/(?<=.)@.*/, ""));
  if (names.every((name) => existsSync(join(folder, "node_modules", name, "package.json")))) return null;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"commonjs"}\n');
  return run("npm", ["install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--ignore-scripts", ...packages], folder);
}

/** @returns why it is not there; null: it is */
export function go(tool: "migrate" | "goose"): string | null {
  if (existsSync(join(GO, tool))) return null;
  mkdirSync(GO, { recursive: true });
  const [name, tags] = GO_PACKAGES[tool]!;
  return run("go", ["install", "-tags", tags, name], GO, { GOBIN: GO, CGO_ENABLED: "0" });
}
