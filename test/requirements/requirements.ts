/** docs/requirements.yaml: what the five manuals ask for, and what shows it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

export const PROJECT = join(import.meta.dirname, "..", "..");
export const FILE = join(PROJECT, "docs", "requirements.yaml");

/** What people decide or send, and backout therefore only holds ready: nothing else may be pending. */
export const PENDING = ["deciding", "approval", "sending", "report"] as const;

/**
 * `test`: `<file> > <full name>`. The others are of drills: `check` passed, `fault` was seen before and gone after, `scope` went back, `phase` was
 * timed within its budget, `watch` was kept by a clock that goes faster, each as `<system>/<name>`.
 */
const evidenceSchema = z.union([
  z.strictObject({ test: z.string().regex(/^test\/\S+\.test\.ts > .+$/) }),
  z.strictObject({ check: z.string() }),
  z.strictObject({ fault: z.string() }),
  z.strictObject({ scope: z.string() }),
  z.strictObject({ phase: z.string() }),
  z.strictObject({ watch: z.string() }),
]);

const requirementSchema = z.strictObject({
  id: z.string().regex(/^[a-z-]+(\.[a-z0-9-]+)+$/),
  says: z.string().min(10),
  shown_by: z.array(evidenceSchema).default([]),
  pending: z.enum(PENDING).optional(),
  /** Of what is pending: where its thresholds, texts or roles stand in the definition, and the test that compares them. */
  data: z.strictObject({ at: z.union([z.string(), z.array(z.string()).min(1)]), test: z.string() }).optional(),
});

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

/** Every test a requirement names. */
export function testsOf(requirement: Requirement): string[] {
  const shown = requirement.shown_by.flatMap((evidence) => ("test" in evidence ? [evidence.test] : []));
  return requirement.data === undefined ? shown : [...shown, requirement.data.test];
}

export function dataPaths({ data }: Requirement): string[] {
  if (data === undefined) return [];
  return typeof data.at === "string" ? [data.at] : data.at;
}

/** Ids that stand there more than once. */
export function duplicates(requirements: readonly Requirement[]): string[] {
  const seen = new Set<string>();
  return requirements.map(({ id }) => id).filter((id) => seen.size === seen.add(id).size);
}
