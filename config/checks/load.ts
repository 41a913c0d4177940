/** Checks that are files: `verify/*.sql`, `verify/*.mjs` and other executables beside the program, picked up by themselves. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { ConfigError, ConfigErrors } from "../errors.ts";
import type { CheckDefinition } from "../system/check.ts";
import type { SystemDefinition } from "../system/definition.ts";
import { hasHeader, readHeader, type CheckHeader, type Known } from "./header.ts";
import { programCheck } from "./program.ts";
import { runSql } from "./sql.ts";

const FOLDER = "verify";
const MARKS: Record<string, readonly string[]> = { ".sql": ["--"], ".mjs": ["//"] };
const ANY_MARK = ["#", "//", "--"];

/** What checks as files may name. */
export type CheckedSystem = Pick<SystemDefinition, "databases" | "scopes" | "listeners" | "secrets">;

/** A check with the scopes in which it runs; null: all of them. */
export type FileCheck = CheckDefinition & { file: string; scopes: readonly string[] | null };

/**
 * The checks of `<folder>/verify`, by name; none without such a folder.
 * @throws ConfigErrors with file and line
 */
export function loadChecks(folder: string, system: CheckedSystem): FileCheck[] {
  const place = join(folder, FOLDER);
  if (!existsSync(place)) return [];
  const errors: ConfigError[] = [];
  const checks: FileCheck[] = [];
  for (const name of readdirSync(place).sort()) {
    try {
      const check = loadCheck(join(place, name), name, system);
      if (check === null) continue;
      const other = checks.find(({ id }) => id === check.id);
      if (other !== undefined) throw new ConfigError(check.file, check.id, `${other.file} is called so, too: rename one`);
      checks.push(check);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new ConfigErrors(errors);
  return checks;
}

const composed = new WeakMap<object, SystemDefinition>();

/**
 * The definition with the checks of its folder after its own, in the scopes that they name.
 * @throws ConfigErrors
 */
export function withFileChecks<T extends SystemDefinition>(definition: T): T {
  const known = composed.get(definition);
  if (known !== undefined) return known as T;
  // A definition that was made from another one has them already.
  const own = definition.checks.flatMap((check) => (check as Partial<FileCheck>).file ?? []);
  const files = loadChecks(definition.folder, definition).filter(({ file }) => !own.includes(file));
  const clash = files.find(({ id }) => definition.checks.some((own) => own.id === id));
  if (clash !== undefined)
    throw new ConfigErrors([new ConfigError(clash.file, clash.id, "the definition has a check of that name: rename the file")]);
  const scopes = Object.entries(definition.scopes).map(([scope, declared]) => {
    const added = files.filter(({ id, scopes }) => (scopes ?? [scope]).includes(scope) && !declared.checks.includes(id));
    return [scope, { ...declared, checks: [...declared.checks, ...added.map(({ id }) => id)] }];
  });
  const all =
    files.length === 0
      ? definition
      : { ...definition, checks: [...definition.checks, ...files], scopes: Object.fromEntries(scopes) as SystemDefinition["scopes"] };
  composed.set(definition, all);
  composed.set(all, all);
  return all;
}

/** Null: no check, e.g. a module that checks import, or their data. */
function loadCheck(file: string, name: string, system: CheckedSystem): FileCheck | null {
  if (name.startsWith(".") || !statSync(file).isFile()) return null;
  const kind = extname(name);
  const text = readFileSync(file, "utf8");
  const marks = MARKS[kind];
  if (marks === undefined && !isExecutable(file)) {
    if (text.startsWith("#!") || hasHeader(text, ANY_MARK))
      throw new ConfigError(file, name, `a check must be executable: run \`chmod +x ${file}\`, or move it elsewhere if it is none`);
    return null;
  }
  const id = name.slice(0, name.length - kind.length);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id))
    throw new ConfigError(file, name, "a check's name has letters, digits and . _ - only: rename the file");
  const known: Known = {
    databases: Object.keys(system.databases),
    scopes: Object.keys(system.scopes),
    secrets: Object.keys(system.secrets ?? {}),
    sql: kind === ".sql",
  };
  const header = readHeader(file, text, marks ?? ANY_MARK, known);
  const { writes, timeoutMs, scopes, secrets, title, shows } = header;
  const run =
    kind === ".sql"
      ? runSql({ ...databaseOf(file, header, system), script: text, writes, timeoutMs }, shows)
      : programCheck({
          ...{ id, file, writes, timeoutMs, secrets },
          databases: header.database === null ? known.databases : [header.database],
          services: [...new Set(Object.values(system.listeners).map(({ service }) => service))],
        });
  // Sessions and processes of its own: it disturbs no other that only reads.
  const parallel = writes ? { writes: true as const } : { asks: true as const };
  return { id, title: title ?? id.replaceAll(/[-_]+/g, " "), ...parallel, run, file, scopes };
}

function databaseOf(
  file: string,
  { database }: CheckHeader,
  { databases }: CheckedSystem,
): { database: string; engine: "postgres" | "sqlite" } {
  const names = Object.keys(databases);
  if (names.length === 0) throw new ConfigError(`${file}:1`, "an SQL file", "the definition has no database that it could look into");
  if (database === null && names.length > 1)
    throw new ConfigError(`${file}:1: \`-- database: …\``, undefined, `begin with this line, and one of ${names.join(", ")}`);
  const name = database ?? names[0]!;
  return { database: name, engine: databases[name]!.engine };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
