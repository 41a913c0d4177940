/** Requirements against what a run really did. Pure. */
import { isOverBudget, type DrillReport } from "../../state/drill-reports/schema.ts";
import type { Outcome, Ran } from "./ran.ts";
import { drillEvidence, evidenceOf, type DrillEvidence, type Evidence, type Requirement } from "./requirements.ts";

export interface Seen {
  /** By `<file> > <full name>`; several tests of one name count as the worst of them. */
  tests: ReadonlyMap<string, Outcome>;
  drills: readonly DrillReport[];
}

export function testsSeen({ files }: Ran): Map<string, Outcome> {
  const order: Outcome[] = ["passed", "skipped", "failed"];
  const seen = new Map<string, Outcome>();
  for (const [file, { errors, tests }] of Object.entries(files))
    for (const { name, outcome } of tests) {
      const key = `${file} > ${name}`;
      const now = errors > 0 ? "failed" : outcome;
      const before = seen.get(key) ?? "passed";
      seen.set(key, order.indexOf(now) > order.indexOf(before) ? now : before);
    }
  return seen;
}

/** Null: it shows it. Otherwise why not. */
export function whyNotShown(evidence: Evidence, seen: Seen): string | null {
  const drill = drillEvidence(evidence);
  if (drill !== null) return whyNotDrilled(drill, seen.drills);
  if (!("test" in evidence)) return "names neither test nor drill";
  const outcome = seen.tests.get(evidence.test);
  if (outcome === "passed") return null;
  return outcome === undefined ? `no such test ran: ${evidence.test}` : `${outcome}: ${evidence.test}`;
}

function whyNotDrilled({ kind, system, name }: DrillEvidence, drills: readonly DrillReport[]): string | null {
  const what = `${kind} ${system}/${name}`;
  const own = drills.filter((drill) => drill.system === system);
  if (own.length === 0) return `${what}: no drill of ${system} ran`;
  const passed = own.filter(({ verdict }) => verdict === "passed");
  if (kind === "fault") return passed.some(({ fault }) => fault === name) ? null : `${what}: no drill of it passed`;
  if (kind === "scope") return passed.some(({ scope }) => scope === name) ? null : `${what}: no drill of it passed`;
  if (kind === "phase") {
    const phases = own.flatMap((drill) => drill.phases.filter((phase) => phase.name === name));
    if (phases.length === 0) return `${what}: no drill has reported it`;
    if (phases.every(({ budgetSeconds }) => budgetSeconds === null)) return `${what}: no drill gave it a budget`;
    return phases.every((phase) => phase.status === "passed" && !isOverBudget(phase)) ? null : `${what}: failed or over its budget`;
  }
  // A drill has one watch, the one that comes next, and says which.
  const wanted = kind === "watch" ? { check: "watch", detail: `${name}: ` } : { check: name, detail: "" };
  const checks = own.flatMap((drill) =>
    drill.checks.filter((check) => check.name === wanted.check && check.detail.startsWith(wanted.detail)),
  );
  if (checks.length === 0) return `${what}: no drill has reported it`;
  if (checks.some(({ status }) => status === "failed")) return `${what}: failed`;
  return checks.some(({ status }) => status === "passed") ? null : `${what}: was always skipped`;
}

function wasSkipped(evidence: Evidence, { tests }: Seen): boolean {
  return "test" in evidence && tests.get(evidence.test) === "skipped";
}

/** Null: the requirement is shown. Otherwise why not. */
function whyHole(evidence: readonly Evidence[], seen: Seen): string | null {
  const reasons = evidence.map((one) => ({ one, why: whyNotShown(one, seen) }));
  // A test that this machine cannot run is no hole where something else shows the same.
  const forgiven = reasons.some(({ why }) => why === null);
  const wrong = reasons.flatMap(({ one, why }) => (why === null || (forgiven && wasSkipped(one, seen)) ? [] : why));
  return wrong.length === 0 ? null : wrong.join("; ");
}

/** Requirements that are to be shown and are not, one line each; empty: all of them are. */
export function holes(requirements: readonly Requirement[], seen: Seen): string[] {
  return requirements.flatMap((requirement) => {
    const why = whyHole(evidenceOf(requirement), seen);
    return why === null ? [] : [`${requirement.id}: ${why}`];
  });
}

/** How many requirements are shown by what was seen, how many recorded as data, how many pending: `requirements: 497 shown, 220 data, 2 pending`. */
export function totals(requirements: readonly Requirement[], seen: Seen): string {
  const toShow = requirements.filter((requirement) => "shown_by" in requirement);
  const shown = toShow.length - holes(toShow, seen).length;
  const data = requirements.filter((requirement) => "data" in requirement).length;
  const whole = shown === toShow.length ? "" : `of ${toShow.length} `;
  return `requirements: ${shown} ${whole}shown, ${data} data, ${requirements.length - toShow.length - data} pending`;
}

/** Why a run says nothing about the whole; null: all of it ran. */
export function whyPart(ran: Ran, files: readonly string[]): string | null {
  if (ran.pattern !== null) return `only tests matching ${ran.pattern} ran`;
  const missing = files.filter((file) => ran.files[file] === undefined);
  if (missing.length === 0) return null;
  return `only part of the tests ran: ${missing.length} of ${files.length} files are missing, ${missing[0]} first`;
}
