/** docs/requirements.yaml: what the five manuals ask for, and what shows it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

export const PROJECT = join(import.meta.dirname, "..", "..");
export const FILE = join(PROJECT, "docs", "requirements.yaml");

/** The part that would do it, and that is not there yet. */
export const PENDING = ["decide", "approve", "notify", "report"] as const;

/**
 * `test`: `<file> > <full name>`. The others are of drills: `check` passed, `fault` was seen before and gone after, `scope` went back
 * within its budget, `phase` was timed within its budget, `watch` was kept by a clock that goes faster, each as `<system>/<name>`.
 */
const evidenceSchema = z.union([
  z.strictObject({ test: z.string().regex(/^test\/\S+\.test\.ts > .+$/) }),
  z.strictObject({ check: z.string() }),
  z.strictObject({ fault: z.string() }),
  z.strictObject({ scope: z.string() }),
  z.strictObject({ phase: z.string() }),
  z.strictObject({ watch: z.string() }),
]);

const entry = { id: z.string().regex(/^[a-z-]+(\.[a-z0-9-]+)+$/), says: z.string().min(10) };
const paths = z.array(z.string()).min(1);

/** A requirement is one of three: shown, recorded as data, or pending. The file says at its top what each means. */
const requirementSchema = z.union([
  z.strictObject({ ...entry, shown_by: z.array(evidenceSchema).min(1) }),
  z.strictObject({ ...entry, data: z.union([z.string(), paths]) }),
  z.strictObject({ ...entry, pending: z.enum(PENDING) }),
]);

export type Evidence = z.infer<typeof evidenceSchema>;
export type Requirement = z.infer<typeof requirementSchema>;

export function parseRequirements(text: string): Requirement[] {
  return z.array(requirementSchema).parse(parse(text));
}

export function readRequirements(): Requirement[] {
  return parseRequirements(readFileSync(FILE, "utf8"));
}

export type DrillKind = "check" | "fault" | "scope" | "phase" | "watch";

export interface DrillEvidence {
  kind: DrillKind;
  system: string;
  name: string;
}

/** Null: the evidence is a test. */
export function drillEvidence(evidence: Evidence): DrillEvidence | null {
  for (const kind of ["check", "fault", "scope", "phase", "watch"] as const) {
    if (!(kind in evidence)) continue;
    const [system = "", ...name] = (evidence as Record<string, string>)[kind]!.split("/");
    return { kind, system, name: name.join("/") };
  }
  return null;
}

/** What is to show a requirement; of one that is recorded or pending: nothing. */
export function evidenceOf(requirement: Requirement): readonly Evidence[] {
  return "shown_by" in requirement ? requirement.shown_by : [];
}

/** Every test a requirement names. */
export function testsOf(requirement: Requirement): string[] {
  return evidenceOf(requirement).flatMap((evidence) => ("test" in evidence ? [evidence.test] : []));
}

export interface DataPath {
  system: string;
  /** Below the system's definition. */
  path: string;
}

/** Where a requirement is recorded; of one that is shown or pending: nowhere. */
export function dataPaths(requirement: Requirement): DataPath[] {
  if (!("data" in requirement)) return [];
  return [requirement.data].flat().map((given) => {
    const [, system = requirement.id.split(".")[0]!, path = ""] = /^(?:([a-z-]+)\/)?(.*)$/.exec(given) ?? [];
    return { system, path };
  });
}

/** Ids that stand there more than once. */
export function duplicates(requirements: readonly Requirement[]): string[] {
  const seen = new Set<string>();
  return requirements.map(({ id }) => id).filter((id) => seen.size === seen.add(id).size);
}
