/** How two manifests differ, in words. */
import type { Manifest } from "./manifest.ts";

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
    return expected === actual ? [] : [`${title} is ${shown(actual)}, expected ${shown(expected)}`];
  const changed = Object.keys(expected).filter((key) => expected[key] !== actual[key]);
  if (changed.length === 0) return [];
  if (changed.join() === "checksum") return [`${title} has the expected ${shown(actual["rows"])} rows, but other content`];
  return changed
    .filter((key) => key !== "checksum")
    .map((key) => `${title} has ${key} ${shown(actual[key])}, expected ${shown(expected[key])}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "none" : JSON.stringify(value);
}
