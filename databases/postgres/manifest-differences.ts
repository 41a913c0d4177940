/** How two manifests differ, in words. */
import { createHash } from "node:crypto";
import { withCastsInside } from "./manifest-expressions.ts";
import type { Manifest, ExtensionRelation } from "./manifest-shape.ts";

const NOUNS: Record<keyof Manifest, string> = {
  tables: "table",
  sequences: "sequence",
  constraints: "constraint",
  indexes: "index",
  triggers: "trigger",
  policies: "policy",
  rowSecurity: "row security of",
  materializedViews: "materialized view",
  views: "view",
  functions: "function",
  extensions: "extension",
  columns: "column",
};

/** @returns one line per difference; empty when they are equal. `sections`: what to compare; everything by default. */
export function compareManifests(expected: Manifest, actual: Manifest, sections = Object.keys(NOUNS) as (keyof Manifest)[]): string[] {
  return sections.flatMap((section) => compareSection(section, expected[section], actual[section]));
}

/**
 * As `compareManifests`, for what a dump was restored to. No dump carries everything as it was: a filled materialized view is filled anew, an
 * INVALID index is left out or built whole, an extension comes in the version the server installs, with the views of that version. Nothing else
 * may differ, and rows of tables never.
 * @param brought what belongs to the restored extensions
 */
export function compareRestored(
  expected: Manifest,
  actual: Manifest,
  brought: readonly ExtensionRelation[] = [],
  sections?: (keyof Manifest)[],
): string[] {
  return compareManifests(asRestored(expected, actual, brought), actual, sections);
}

/** What a faithful restore makes of `expected`. */
function asRestored(expected: Manifest, actual: Manifest, brought: readonly ExtensionRelation[]): Manifest {
  const extensions = Object.fromEntries(
    Object.entries(expected.extensions).map(([name, version]) => [name, actual.extensions[name] ?? version]),
  );
  const renewed = brought.filter(({ extension }) => extensions[extension] !== expected.extensions[extension]).map(({ name }) => name);
  const ofRenewed = (name: string): boolean => renewed.some((relation) => name === relation || name.startsWith(`${relation}.`));
  const withRenewed = (section: "views" | "columns"): Record<string, string> => ({
    ...Object.fromEntries(Object.entries(expected[section]).filter(([name]) => !ofRenewed(name))),
    ...Object.fromEntries(Object.entries(actual[section]).filter(([name]) => ofRenewed(name))),
  });
  return {
    ...expected,
    extensions,
    views: withRenewed("views"),
    columns: withRenewed("columns"),
    indexes: restoredIndexes(expected.indexes, actual.indexes),
    materializedViews: Object.fromEntries(
      Object.entries(expected.materializedViews).map(([name, view]) => {
        const now = actual.materializedViews[name];
        return [name, view.populated && now?.populated === true ? { ...view, rows: now.rows } : view];
      }),
    ),
  };
}

const INVALID = " INVALID";

/** pg_dump passes over an index whose making failed; one of a partitioned table, which waits for its parts, is valid when they are attached. */
function restoredIndexes(expected: Manifest["indexes"], actual: Manifest["indexes"]): Manifest["indexes"] {
  return Object.fromEntries(
    Object.entries(expected).flatMap(([name, definition]) => {
      if (!definition.endsWith(INVALID)) return [[name, definition]];
      if (!Object.hasOwn(actual, name)) return [];
      const valid = definition.slice(0, -INVALID.length);
      return [[name, actual[name] === valid ? valid : definition]];
    }),
  );
}

function compareSection(section: keyof Manifest, expected: Record<string, unknown>, actual: Record<string, unknown>): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
  return names.flatMap((name) => {
    const title = `${NOUNS[section]} ${name}`;
    if (!Object.hasOwn(actual, name)) return [`${title} is missing`];
    if (!Object.hasOwn(expected, name)) return [`${title} was not expected`];
    return describe(title, expected[name], actual[name]);
  });
}

function describe(title: string, expected: unknown, actual: unknown): string[] {
  if (!isRecord(expected) || !isRecord(actual))
    return same(expected, actual) ? [] : [`${title} is ${shown(actual)}, expected ${shown(expected)}`];
  const changed = Object.keys(expected).filter((key) => expected[key] !== actual[key]);
  if (changed.length === 0) return [];
  if (changed.join() === "checksum") return [`${title} has the expected ${shown(actual["rows"])} rows, but other content`];
  return changed
    .filter((key) => key !== "checksum")
    .map((key) => `${title} has ${key} ${shown(actual[key])}, expected ${shown(expected[key])}`);
}

/** The same value, or the same definition in other words. */
function same(expected: unknown, actual: unknown): boolean {
  if (typeof expected !== "string" || typeof actual !== "string") return expected === actual;
  if (expected === actual || withCastsInside(expected) === withCastsInside(actual)) return true;
  // What was kept before bodies that have no text were kept as they are shown.
  return /^[0-9a-f]{32}$/.test(expected) && createHash("md5").update(actual).digest("hex") === expected;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "none" : JSON.stringify(value);
}
