/** Folders of SQL files: names, and where the text of each direction is. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { MigrationDefinition, MigrationLayout, ScriptPlace } from "../system/migration.ts";
import { byNumber } from "./order.ts";
import { hasSections, type Sections } from "./sections.ts";
import type { Folder, Read } from "./folder.ts";

const VERSIONED = /^V(\d+(?:[._]\d+)*)__(.+)\.sql$/;

export function subfolders(at: Folder): Read | null {
  const holding = (file: string): string[] => at.folders.filter((name) => existsSync(join(at.path, name, file)));
  const whole = holding("migration.sql");
  if (whole.length > 0)
    return {
      layout: at.files.includes("migration_lock.toml") ? "prisma" : "folders",
      migrations: whole.sort(byNumber).map((name) => ({ name, path: at.relative(name) })),
    };
  const ups = holding("up.sql");
  if (ups.length === 0) return null;
  const migrations = ups.sort(byNumber).map((name): MigrationDefinition => {
    const down = join(name, "down.sql");
    return {
      name,
      path: at.relative(name),
      scripts: {
        up: { file: at.relative(join(name, "up.sql")) },
        ...(existsSync(join(at.path, down)) ? { down: { file: at.relative(down) } } : {}),
      },
    };
  });
  return { layout: "up-down", migrations };
}

export function sqlFiles(at: Folder): Read | null {
  const files = at.files.filter((name) => name.endsWith(".sql"));
  if (files.some((name) => VERSIONED.test(name))) return flyway(at, files);
  const numbered = files.filter((name) => /^\d/.test(name)).sort(byNumber);
  if (numbered.some((name) => name.endsWith(".up.sql"))) return pairs(at, "golang-migrate", numbered, ".up.sql");
  for (const tool of ["dbmate", "goose"] as const) {
    const marked = numbered.filter((name) => hasSections(readFileSync(join(at.path, name), "utf8"), tool));
    if (marked.length > 0) return { layout: tool, migrations: marked.map((name) => sectioned(at, name, tool)) };
  }
  if (numbered.length === 0) return null;
  const supabase = basename(join(at.path, "..")) === "supabase" && numbered.every((name) => /^\d{14}_/.test(name));
  return pairs(at, supabase ? "supabase" : "plain", numbered, ".sql");
}

function sectioned(at: Folder, file: string, tool: Sections): MigrationDefinition {
  const place: ScriptPlace = { file: at.relative(file), sections: tool };
  return { name: file.replace(/\.sql$/, ""), path: place.file, scripts: { up: place, down: place } };
}

/** `1_name.up.sql` or `1_name.sql`, with `1_name.down.sql` beside it. */
function pairs(at: Folder, layout: MigrationLayout, files: readonly string[], ending: string): Read {
  const ups = files.filter((name) => name.endsWith(ending) && !name.endsWith(".down.sql"));
  const migrations = ups.map((file): MigrationDefinition => {
    const name = file.slice(0, -ending.length);
    const down = `${name}.down.sql`;
    return {
      name,
      path: at.relative(file),
      scripts: { up: { file: at.relative(file) }, ...(files.includes(down) ? { down: { file: at.relative(down) } } : {}) },
    };
  });
  return { layout, migrations };
}

function flyway(at: Folder, files: readonly string[]): Read {
  const migrations = files
    .flatMap((file) => {
      const [, version, description] = VERSIONED.exec(file) ?? [];
      return version === undefined ? [] : [{ file, version, name: `V${version}__${description!}` }];
    })
    .sort((one, other) => byNumber(one.version, other.version))
    .map(({ file, version, name }): MigrationDefinition => {
      const down = files.find((other) => other.startsWith(`U${version}__`));
      return {
        name,
        path: at.relative(file),
        scripts: { up: { file: at.relative(file) }, ...(down === undefined ? {} : { down: { file: at.relative(down) } }) },
      };
    });
  return { layout: "flyway", migrations };
}
