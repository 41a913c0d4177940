/** Whether a name in docs/requirements.yaml stands for anything: looked up in the tests and definitions as they are written, before anything runs. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { PHASES } from "../../config/phases.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { DrillEvidence } from "./requirements.ts";
import { drillOf } from "../../config/system/drill.ts";

/**
 * Every test there is, as `<file> > <full name>`, as it is written: nothing is loaded, so that a test made for each of a list stands there once, with
 * its placeholders.
 */
export function listTests(project: string): Set<string> {
  const program = join(project, "node_modules", "vitest", "vitest.mjs");
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$)/.test(name)));
  const output = execFileSync(process.execPath, [program, "list", "--json"], {
    cwd: project,
    env: environment,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const listed = JSON.parse(output) as { name: string; file: string }[];
  return new Set(listed.map(({ name, file }) => `${relative(project, file)} > ${name.replaceAll(/\\(["'`])/g, "$1")}`));
}

/** Whether a name is one of the listed ones, with anything in the place of a placeholder: `%s`, `$name`, `${name}`. */
export function matcher(listed: ReadonlySet<string>): (name: string) => boolean {
  const placeholder = /%[sdifjo#]|\$\{[^}]*\}|\$[a-zA-Z_][\w.]*/;
  const patterns = [...listed]
    .filter((name) => placeholder.test(name))
    .map((name) => new RegExp(`^${name.split(placeholder).map(escaped).join(".+")}$`));
  return (name) => listed.has(name) || patterns.some((pattern) => pattern.test(name));
}

/** Tests under a condition are not listed without running it: then its suites and itself have to stand in the file, word for word. */
export function standsInConditionalFile(project: string, name: string): boolean {
  const [file = "", ...parts] = name.split(" > ");
  const path = join(project, file);
  if (!existsSync(path)) return false;
  const source = readFileSync(path, "utf8");
  return /\b(?:skipIf|runIf)\(/.test(source) && parts.every((part) => source.includes(JSON.stringify(part)));
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Text of the sources that make up a drill: the names of its own checks and phases are literals in it. */
export function drillSources(project: string): string {
  const folder = join(project, "drill");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
}

/** Null: the definition (or the drill itself) has it. */
export function whyUnknown(
  { kind, system, name }: DrillEvidence,
  systems: Record<string, SystemDefinition>,
  sources: string,
): string | null {
  const definition = systems[system];
  if (definition === undefined) return `no system ${system}`;
  const literal = sources.includes(`"${name}"`);
  const known: Record<DrillEvidence["kind"], boolean> = {
    check: literal || definition.checks.some(({ id }) => id === name),
    fault: name in drillOf(definition).faults,
    scope: name in definition.scopes,
    watch: name in (definition.watches ?? {}),
    phase: literal || (PHASES as readonly string[]).some((phase) => name === `rollback: ${phase}`),
  };
  return known[kind] ? null : `${system} has no ${kind} ${name}`;
}

/** What stands at a path of a definition. A key of a list is the item itself, or the first item with a field that says it. Undefined: nothing. */
export function valueAt(definition: SystemDefinition, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    if (!Array.isArray(value)) return (value as Record<string, unknown>)[key];
    return (value as unknown[]).find((each) => each === key || (typeof each === "object" && Object.values(each ?? {}).includes(key)));
  }, definition);
}

/** Whether a path leads to something: 0 and false are, null and what is empty are not. */
export function isRecorded(definition: SystemDefinition | undefined, path: string): boolean {
  const value = definition === undefined ? undefined : valueAt(definition, path);
  if (value === undefined || value === null || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
