/** After the rollback: the witness's judgement and the drill's own inspection of databases, exports and gate. */
import type { RolloutOutcome } from "../scripts/pulumi/roll-out.ts";
import type { CheckResult } from "../config/system/check.ts";
import { contentCheck, exportsCheck, gateCheck, putBackCheck, quarantineCheck, skipped, witnessChecks } from "./checks.ts";
import { contentDifferences, type Contents } from "./contents.ts";
import type { Counts } from "./differences.ts";
import type { GateSample } from "./gate-watch.ts";
import { exportsOutside } from "./inspect-outside.ts";
import { outsideOf } from "./outside.ts";
import type { Outside, Quarantine } from "./outside-view.ts";
import { pinsNow, type Stage } from "./stage.ts";
import type { Judgement } from "./witness/judge.ts";
import { judgementOf, readJournal, type WitnessRun } from "./witness-process.ts";
import { drillOf } from "../config/system/drill.ts";

export interface Evidence {
  stage: Stage;
  outcome: RolloutOutcome;
  /** Content by database before the newer release was deployed. */
  before: Record<string, Contents>;
  samples: GateSample[];
  witness: WitnessRun;
  /** Wall clock when the rollback was called, and when its command had ended. Milliseconds. */
  period: { from: number; to: number };
  /** The preview says that users get 503 during the rollback. */
  keptOut: boolean;
  /** The scope restores data. */
  restores: boolean;
}

export interface Finding {
  checks: CheckResult[];
  judgement: Judgement;
  /** What was set aside, counted by the drill. */
  rowsAtRisk: Record<string, Counts>;
}

export async function judgeDrill(evidence: Evidence): Promise<Finding> {
  const { stage, outcome, samples, witness, keptOut, restores } = evidence;
  const outside = await outsideOf(stage);
  const epoch = outcome.epoch ?? 0;
  const seen = readJournal(witness);
  const times = await outside.journalTimes(epoch);
  const quarantines = restores ? await outside.quarantines(epoch) : [];
  const pristine = restores ? await pristines(stage, outside) : {};
  return outside.withDoors([...quarantines.map(({ place }) => place), ...Object.values(pristine)], async () => {
    const judgement = await judgementOf(witness, {
      live: outside.addressOf(outside.live[witnessDatabase(stage)] ?? ""),
      quarantines: quarantines.filter(({ database }) => database === witnessDatabase(stage)).map(({ place }) => outside.addressOf(place)),
      exports: outcome.exported.map(({ path }) => path).filter((path) => path.endsWith(".jsonl")),
      period: evidence.period,
    });
    const rowsAtRisk = await differencesOf(outside, quarantines, pristine);
    const checks = [
      keptOut ? gateCheck(times, samples, seen.acknowledgedAt) : skipped("gate-closed-until-verified", "this scope keeps no users out"),
      ...(restores ? await restoreChecks(evidence, outside, judgement, { quarantines, pristine, rowsAtRisk }, seen.prefix) : []),
      ...witnessChecks(judgement),
    ];
    return { checks, judgement, rowsAtRisk };
  });
}

/** Database of the definition that holds the witness's table. */
function witnessDatabase({ definition }: Stage): string {
  const { table } = drillOf(definition).witness;
  const found = Object.entries(definition.databases).find(([, { tables }]) => tables.includes(table));
  return found?.[0] ?? Object.keys(definition.databases)[0] ?? "";
}

/** Database of the definition → the pristine copy it went back to. */
async function pristines(stage: Stage, outside: Outside): Promise<Record<string, string>> {
  const { pins } = await pinsNow(stage);
  const found: Record<string, string> = {};
  for (const [database, pin] of Object.entries(pins.data)) {
    if (pin.kind !== "snapshot") continue;
    const name = await outside.pristine(database, `${pin.name}@${pin.generation ?? 1}`);
    if (name !== null) found[database] = name;
  }
  return found;
}

async function differencesOf(
  outside: Outside,
  quarantines: readonly Quarantine[],
  pristine: Record<string, string>,
): Promise<Record<string, Counts>> {
  const counts: Record<string, Counts> = {};
  for (const { place, database } of quarantines) {
    const base = pristine[database];
    if (base === undefined || !(await outside.exists(place))) continue;
    Object.assign(counts, await outside.differences(base, place));
  }
  return counts;
}

interface SetAside {
  quarantines: readonly Quarantine[];
  /** Database of the definition → the pristine copy it went back to. */
  pristine: Record<string, string>;
  rowsAtRisk: Record<string, Counts>;
}

async function restoreChecks(
  { stage, outcome, before }: Evidence,
  outside: Outside,
  judgement: Judgement,
  { quarantines, pristine, rowsAtRisk }: SetAside,
  prefix: string,
): Promise<CheckResult[]> {
  const { witness } = drillOf(stage.definition);
  const differences = [];
  for (const [database, live] of Object.entries(outside.live)) {
    const found = contentDifferences(before[database] ?? {}, await outside.contents(live, prefix));
    const added = await onlyAdded(stage, outside, database, pristine[database]);
    differences.push(...found.filter(({ table }) => !added.includes(table)));
  }
  const rows = Object.values(before)
    .flatMap((tables) => Object.values(tables))
    .reduce((sum, table) => sum + table.rows, 0);
  const { config } = await pinsNow(stage);
  return [
    ...(config.newWrites === "reapply" ? [putBackCheck(judgement)] : []),
    quarantineCheck(await outside.quarantineFacts(saidQuarantine(outcome.quarantine, quarantines), witness, prefix)),
    exportsCheck(rowsAtRisk, await exportsOutside(outcome.exported, outcome.runId), judgement),
    contentCheck(differences, rows),
  ];
}

/**
 * Tables that may have grown in the restored data: records that outlive a restore, the system's own audit entry. Former rows must be
 * unchanged.
 */
async function onlyAdded({ definition }: Stage, outside: Outside, database: string, base: string | undefined): Promise<string[]> {
  const { auditEntry } = definition;
  const growing = [...(definition.databases[database]?.appendOnly ?? []), ...(auditEntry?.database === database ? [auditEntry.table] : [])];
  if (growing.length === 0 || base === undefined) return [];
  const counts = await outside.differences(base, outside.live[database] ?? "");
  return growing.filter((table) => counts[table]?.updated === 0 && counts[table].deleted === 0);
}

/** The quarantine that the rollback reports; searched by that name if the catalogue does not have it. */
function saidQuarantine(said: string | null, found: readonly Quarantine[]): Pick<Quarantine, "name" | "place"> | null {
  if (said === null) return found[0] ?? null;
  return found.find(({ name }) => name === said) ?? { name: said, place: said };
}
