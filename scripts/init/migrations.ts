/** The folder of a system's migrations, and the command of the tool that they are for. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readMigrations } from "../../config/migrations/read-folder.ts";
import { foldersIn } from "./files.ts";
import type { FoundDatabase } from "./found.ts";

type Migrations = NonNullable<FoundDatabase["migrations"]>;

const NAMES = /^(?:migrations?|migrate|alembic|versions|drizzle|flyway|changelog|sql)$/;
const DEPTH = 4;

/** Commands of the tools whose migrations are programs; run in the folder of the system. */
const COMMANDS: Record<string, { migrate: string; migrateDown?: string }> = {
  alembic: { migrate: "alembic upgrade $BACKOUT_SCHEMA", migrateDown: "alembic downgrade $BACKOUT_SCHEMA" },
  django: { migrate: "python3 manage.py migrate" },
  rails: { migrate: "bin/rails db:migrate" },
  knex: { migrate: "npx knex migrate:latest" },
  drizzle: { migrate: "npx drizzle-kit migrate" },
  typeorm: { migrate: "npx typeorm migration:run" },
  sequelize: { migrate: "npx sequelize-cli db:migrate" },
  "node-pg-migrate": { migrate: "npx node-pg-migrate up" },
};

/** The folders of migrations in a folder, the nearest first; paths are relative to it. */
export function findMigrations(root: string): Migrations[] {
  const found: Migrations[] = [];
  let level = [""];
  for (let depth = 0; depth < DEPTH; depth++) {
    const below = level.flatMap((at) => foldersIn(join(root, at)).map((name) => join(at, name)));
    found.push(...below.filter((path) => NAMES.test(basename(path))).flatMap((path) => readable(root, path)));
    level = below.filter((path) => !found.some(({ folder }) => path === folder || path.startsWith(`${folder}/`)));
  }
  return found.filter(({ folder }, index) => found.findIndex((other) => other.folder === folder) === index);
}

function readable(root: string, path: string): Migrations[] {
  try {
    const { layout } = readMigrations(root, path);
    // Django's migrations are in folders of its apps, beside manage.py.
    const folder = layout === "django" ? dirname(dirname(path)) : path;
    const command = COMMANDS[layout];
    return [{ folder, layout, ...(command === undefined ? {} : inside(root, folder, layout, command)) }];
  } catch {
    return [];
  }
}

/** The command where the tool finds its own settings: the folder that holds them. */
function inside(root: string, folder: string, layout: string, commands: { migrate: string; migrateDown?: string }): typeof commands {
  const settings = { alembic: "alembic.ini", django: "manage.py" }[layout] ?? "package.json";
  let at = folder;
  while (at !== "." && !existsSync(join(root, at, settings))) at = dirname(at);
  if (at === ".") return commands;
  return Object.fromEntries(Object.entries(commands).map(([key, line]) => [key, `cd ${at} && ${line}`])) as typeof commands;
}
