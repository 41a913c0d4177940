/** Folders whose migrations only their tool can run: programs, or SQL with a record of the tool's own. Names and order are read from the files. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { MigrationDefinition, MigrationLayout } from "../system/migration.ts";
import { byNumber, dependenciesFirst } from "./order.ts";
import type { Folder, Read } from "./folder.ts";

const scripts = "tool" as const;

/** `meta/_journal.json` names the files and the time by which the ledger knows each. */
export function drizzle(at: Folder): Read | null {
  const journal = join(at.path, "meta", "_journal.json");
  if (!existsSync(journal)) return null;
  const { entries } = JSON.parse(readFileSync(journal, "utf8")) as { entries: { idx: number; when: number; tag: string }[] };
  const migrations = [...entries]
    .sort((one, other) => one.idx - other.idx)
    .map(({ tag, when }): MigrationDefinition => ({ name: tag, path: at.relative(`${tag}.sql`), version: String(when), scripts }));
  return { layout: "drizzle", migrations };
}

/** `revision` and `down_revision` of the files, in `versions` or in the folder itself. */
export function alembic(at: Folder): Read | null {
  const inside = at.folders.includes("versions") ? "versions" : "";
  const files = readdirSync(join(at.path, inside)).filter((name) => name.endsWith(".py"));
  const found = files.sort().flatMap((file) => {
    const path = join(inside, file);
    const text = readFileSync(join(at.path, path), "utf8");
    const name = /^revision\b[^=\n]*=\s*["']([^"']+)["']/m.exec(text)?.[1];
    if (name === undefined) return [];
    const before = /^down_revision\b[^=\n]*=\s*(\([^)]*\)|[^\n]*)/m.exec(text)?.[1] ?? "";
    const after = [...before.matchAll(/["']([^"']+)["']/g)].map((match) => match[1]!);
    return [{ name, path: at.relative(path), after, scripts }];
  });
  return found.length === 0 ? null : { layout: "alembic", migrations: dependenciesFirst(found) };
}

/** `<app>/migrations/0001_name.py` below the folder, or one app's `migrations` itself. Named as Django does: `app.0001_name`. */
export function django(at: Folder): Read | null {
  const own = basename(at.path) === "migrations" ? [{ app: basename(join(at.path, "..")), inside: "" }] : [];
  const below = at.folders.map((app) => ({ app, inside: join(app, "migrations") }));
  const found = [...own, ...below].flatMap(({ app, inside }) => {
    const folder = join(at.path, inside);
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder).filter((name) => /^\d+_.*\.py$/.test(name));
    return files.sort(byNumber).flatMap((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      if (!text.includes("migrations.Migration")) return [];
      const dependencies = /dependencies\s*=\s*\[([\s\S]*?)\]/.exec(text)?.[1] ?? "";
      const after = [...dependencies.matchAll(/\(\s*["'](\w+)["']\s*,\s*["'](\w+)["']\s*\)/g)].map((match) => `${match[1]}.${match[2]}`);
      return [{ name: `${app}.${file.replace(/\.py$/, "")}`, path: at.relative(join(inside, file)), after, scripts }];
    });
  });
  return found.length === 0 ? null : { layout: "django", migrations: dependenciesFirst(found) };
}

export function rails(at: Folder): Read | null {
  const files = at.files.filter((name) => /^\d+_\w+\.rb$/.test(name)).sort(byNumber);
  if (files.length === 0) return null;
  return { layout: "rails", migrations: files.map((file) => ({ name: file.replace(/\.rb$/, ""), path: at.relative(file), scripts })) };
}

const PROGRAM = /\.(c|m)?[jt]s$/;

/** JavaScript and TypeScript: which tool runs a file shows in what it is given. */
export function programs(at: Folder): Read | null {
  const files = at.files.filter((name) => /^\d/.test(name) && PROGRAM.test(name) && !name.endsWith(".d.ts")).sort(byNumber);
  if (files.length === 0) return null;
  const texts = files.map((file) => readFileSync(join(at.path, file), "utf8"));
  const layout = toolOf(texts[0]!);
  if (layout === null) return null;
  const migrations = files.map((file, index): MigrationDefinition => {
    const path = at.relative(file);
    if (layout === "typeorm") return { name: classOf(texts[index]!) ?? file.replace(PROGRAM, ""), path, scripts };
    return { name: layout === "node-pg-migrate" ? file.replace(PROGRAM, "") : file, path, scripts };
  });
  return { layout, migrations };
}

function toolOf(text: string): MigrationLayout | null {
  if (/\bMigrationInterface\b|\bqueryRunner\b/.test(text)) return "typeorm";
  if (/\bqueryInterface\b/.test(text)) return "sequelize";
  if (/\bpgm\b/.test(text)) return "node-pg-migrate";
  return /\bknex\b|\bexports\.up\b|\bexport (async )?(function|const) up\b/.test(text) ? "knex" : null;
}

/** The ledger has the class's name, or the `name` it gives itself. */
function classOf(text: string): string | undefined {
  return /\bname\s*=\s*["'`]([^"'`]+)["'`]/.exec(text)?.[1] ?? /\bclass\s+(\w+)/.exec(text)?.[1];
}
