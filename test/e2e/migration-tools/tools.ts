/** Each tool's project with two revisions, and the commands by which its users run it. */
import { join } from "node:path";
import type { LedgerName } from "../../../config/system/ledgers.ts";
import { DBMATE, dbmate, GO, go, NODE, node, PRISMA, prisma, python, PYTHON } from "./install.ts";

export interface ToolCase {
  ledger: LedgerName;
  /** Why it is not there; null: it is. May install it. */
  absent: () => string | null;
  /** Folder of the migrations. */
  folder: string;
  /** Files of the project, by path. */
  project: Record<string, string>;
  /** Files that each revision brings. */
  revisions: [Record<string, string>, Record<string, string>];
  /** Names of the revisions. */
  names: [string, string];
  /** Absent: backout runs the scripts. */
  migrate?: string;
  migrateDown?: string;
  /** What a release runs when it starts: it must do nothing, and succeed, where the ledger is as the release knows it. */
  start: string;
  /** How the tool says that the ledger and its files are the same. Absent: `start` says so. */
  status?: string;
  /** Folder whose packages the project uses. Absent: none. */
  packages?: string;
}

const bin = (name: string): string => join(PYTHON, "bin", name);
const UP = "CREATE TABLE orders (id int PRIMARY KEY);";
const MORE = "CREATE TABLE notes (id int PRIMARY KEY);";

const alembicRevision = (name: string, before: string | null, up: string, down: string): string =>
  `from alembic import op\nrevision = "${name}"\ndown_revision = ${before === null ? "None" : `"${before}"`}\n` +
  `def upgrade():\n    op.execute("${up}")\ndef downgrade():\n    op.execute("${down}")\n`;

const alembic: ToolCase = {
  ledger: "alembic",
  absent: python,
  folder: "alembic",
  project: {
    "alembic.ini": "[alembic]\nscript_location = alembic\n",
    "alembic/script.py.mako": "",
    "alembic/env.py":
      "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n" +
      'engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))\n' +
      "with engine.connect() as connection:\n    context.configure(connection=connection)\n    with context.begin_transaction():\n        context.run_migrations()\n",
  },
  revisions: [
    { "alembic/versions/a1_orders.py": alembicRevision("a1", null, UP, "DROP TABLE orders") },
    { "alembic/versions/b2_notes.py": alembicRevision("b2", "a1", MORE, "DROP TABLE notes") },
  ],
  names: ["a1", "b2"],
  migrate: `${bin("alembic")} upgrade $BACKOUT_SCHEMA`,
  migrateDown: `${bin("alembic")} downgrade $BACKOUT_SCHEMA`,
  start: `${bin("alembic")} upgrade head`,
};

const djangoMigration = (before: string, up: string, down: string): string =>
  "from django.db import migrations\nclass Migration(migrations.Migration):\n" +
  `    dependencies = [${before}]\n    operations = [migrations.RunSQL("${up}", "${down}")]\n`;

const django: ToolCase = {
  ledger: "django",
  absent: python,
  folder: ".",
  project: {
    "manage.py":
      'import os, sys\nos.environ["DJANGO_SETTINGS_MODULE"] = "settings"\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n',
    "settings.py":
      'import os\nfrom urllib.parse import urlparse, parse_qsl, unquote\nurl = urlparse(os.environ["DATABASE_URL"])\n' +
      'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(url.path[1:]), "USER": unquote(url.username),\n' +
      '  "PASSWORD": unquote(url.password or ""), "HOST": url.hostname, "PORT": url.port, "OPTIONS": dict(parse_qsl(url.query))}}\n' +
      'INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]\nSECRET_KEY = "x"\n',
    "shop/__init__.py": "",
    "shop/migrations/__init__.py": "",
  },
  revisions: [
    { "shop/migrations/0001_orders.py": djangoMigration("", UP, "DROP TABLE orders") },
    { "shop/migrations/0002_notes.py": djangoMigration('("shop", "0001_orders")', MORE, "DROP TABLE notes") },
  ],
  names: ["shop.0001_orders", "shop.0002_notes"],
  migrate: `${bin("python")} manage.py migrate`,
  migrateDown: `${bin("python")} manage.py migrate $(echo "$BACKOUT_SCHEMA" | tr . ' ')`,
  start: `${bin("python")} manage.py migrate`,
};

const knexMigration = (up: string, down: string): string =>
  `exports.up = (knex) => knex.raw("${up}");\nexports.down = (knex) => knex.raw("${down}");\n`;

const knex: ToolCase = {
  ledger: "knex",
  absent: node,
  packages: NODE,
  folder: "migrations",
  project: { "knexfile.js": 'module.exports = { client: "pg", connection: process.env.DATABASE_URL };\n' },
  revisions: [
    { "migrations/1_orders.js": knexMigration(UP, "DROP TABLE orders") },
    { "migrations/2_notes.js": knexMigration(MORE, "DROP TABLE notes") },
  ],
  names: ["1_orders.js", "2_notes.js"],
  migrate: "node_modules/.bin/knex migrate:latest",
  migrateDown: "node_modules/.bin/knex migrate:down",
  start: "node_modules/.bin/knex migrate:latest",
};

const typeormMigration = (name: string, up: string, down: string): string =>
  `// queryRunner\nmodule.exports.${name} = class ${name} {\n  async up(queryRunner) { await queryRunner.query("${up}"); }\n` +
  `  async down(queryRunner) { await queryRunner.query("${down}"); }\n};\n`;

const typeorm: ToolCase = {
  ledger: "typeorm",
  absent: node,
  packages: NODE,
  folder: "migrations",
  project: {
    "data-source.js":
      'require("reflect-metadata");\nconst { DataSource } = require("typeorm");\n' +
      'module.exports.source = new DataSource({ type: "postgres", url: process.env.DATABASE_URL, migrations: ["migrations/*.js"],\n' +
      '  extra: { options: new URL(process.env.DATABASE_URL).searchParams.get("options") } });\n',
  },
  revisions: [
    { "migrations/1700000000001-Orders.js": typeormMigration("Orders1700000000001", UP, "DROP TABLE orders") },
    { "migrations/1700000000002-Notes.js": typeormMigration("Notes1700000000002", MORE, "DROP TABLE notes") },
  ],
  names: ["Orders1700000000001", "Notes1700000000002"],
  migrate: "node_modules/.bin/typeorm migration:run -d data-source.js",
  migrateDown: "node_modules/.bin/typeorm migration:revert -d data-source.js",
  start: "node_modules/.bin/typeorm migration:run -d data-source.js",
};

const entry = (idx: number, tag: string): object => ({ idx, version: "7", when: 1_700_000_000_000 + idx, tag, breakpoints: true });
const journal = (...entries: object[]): string => JSON.stringify({ version: "7", dialect: "postgresql", entries });

const drizzle: ToolCase = {
  ledger: "drizzle",
  absent: node,
  packages: NODE,
  folder: "drizzle",
  project: {
    "migrate.js":
      'const { drizzle } = require("drizzle-orm/node-postgres");\nconst { migrate } = require("drizzle-orm/node-postgres/migrator");\nconst { Pool } = require("pg");\n' +
      'const pool = new Pool({ connectionString: process.env.DATABASE_URL });\nmigrate(drizzle({ client: pool }), { migrationsFolder: "drizzle" }).then(() => pool.end());\n',
  },
  revisions: [
    { "drizzle/0000_orders.sql": UP, "drizzle/meta/_journal.json": journal(entry(0, "0000_orders")) },
    { "drizzle/0001_notes.sql": MORE, "drizzle/meta/_journal.json": journal(entry(0, "0000_orders"), entry(1, "0001_notes")) },
  ],
  names: ["0000_orders", "0001_notes"],
  migrate: "node migrate.js",
  start: "node migrate.js",
};

const golangMigrate: ToolCase = {
  ledger: "golang-migrate",
  absent: () => go("migrate"),
  folder: "migrations",
  project: {},
  revisions: [
    { "migrations/000001_orders.up.sql": UP, "migrations/000001_orders.down.sql": "DROP TABLE orders;" },
    { "migrations/000002_notes.up.sql": MORE, "migrations/000002_notes.down.sql": "DROP TABLE notes;" },
  ],
  names: ["000001_orders", "000002_notes"],
  start: `${join(GO, "migrate")} -path migrations -database "$DATABASE_URL" up`,
};

const sections = (up: string, down: string): [string, string] => [
  `-- +goose Up\n${up}\n-- +goose Down\n${down}\n`,
  `-- migrate:up\n${up}\n-- migrate:down\n${down}\n`,
];

const goose: ToolCase = {
  ledger: "goose",
  absent: () => go("goose"),
  folder: "migrations",
  project: {},
  revisions: [
    { "migrations/00001_orders.sql": sections(UP, "DROP TABLE orders;")[0] },
    { "migrations/00002_notes.sql": sections(MORE, "DROP TABLE notes;")[0] },
  ],
  names: ["00001_orders", "00002_notes"],
  start: `${join(GO, "goose")} -dir migrations postgres "$DATABASE_URL" up`,
};

const dbmateUp: ToolCase = {
  ledger: "dbmate",
  absent: dbmate,
  folder: "db/migrations",
  project: {},
  revisions: [
    { "db/migrations/20240101000001_orders.sql": sections(UP, "DROP TABLE orders;")[1] },
    { "db/migrations/20240101000002_notes.sql": sections(MORE, "DROP TABLE notes;")[1] },
  ],
  names: ["20240101000001_orders", "20240101000002_notes"],
  start: `${join(DBMATE, "node_modules", ".bin", "dbmate")} --no-dump-schema up`,
};

/** What it would download otherwise. */
const NOTHING_ELSE = "PRISMA_QUERY_ENGINE_LIBRARY=/bin/true PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1";

/** Its schema engine as WebAssembly. backout runs the scripts, `down.sql` beside them included. */
const prismaMigrate: ToolCase = {
  ledger: "prisma",
  absent: prisma,
  folder: "prisma/migrations",
  project: {
    "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\nmodel orders {\n  id Int @id\n}\n',
    "prisma/migrations/migration_lock.toml": 'provider = "postgresql"\n',
    "prisma.config.ts": `
      import { defineConfig } from "prisma/config";
      import { PrismaPg } from "@prisma/adapter-pg";
      const factory = new PrismaPg({ connectionString: process.env.DATABASE_URL });
      const connect = factory.connect.bind(factory);
      // The adapter of this version does not read the type \`name\`, in which its own engine asks for schemas.
      factory.connect = async () => {
        const adapter = await connect();
        const queryable = Object.getPrototypeOf(Object.getPrototypeOf(adapter));
        const perform = queryable.performIO;
        queryable.performIO = async function (query) {
          const rows = await perform.call(this, query);
          for (const field of rows.fields) if (field.dataTypeID === 19) field.dataTypeID = 25;
          return rows;
        };
        return adapter;
      };
      export default defineConfig({ engine: "js", experimental: { adapter: true }, schema: "prisma/schema.prisma", adapter: async () => factory });
    `,
  },
  revisions: [
    { "prisma/migrations/1_orders/migration.sql": UP, "prisma/migrations/1_orders/down.sql": "DROP TABLE orders;" },
    { "prisma/migrations/2_notes/migration.sql": MORE, "prisma/migrations/2_notes/down.sql": "DROP TABLE notes;" },
  ],
  names: ["1_orders", "2_notes"],
  start: `${NOTHING_ELSE} node node_modules/prisma/build/index.js migrate deploy`,
  status: `${NOTHING_ELSE} node node_modules/prisma/build/index.js migrate status`,
  packages: PRISMA,
};

export const TOOLS: ToolCase[] = [alembic, django, knex, typeorm, drizzle, golangMigrate, goose, dbmateUp, prismaMigrate];
