/** After the rollback: the witness's judgement and the drill's own look into databases, exports and gate. */
import type { CrossingOutcome } from "../scripts/cross.ts";
import type { CheckResult } from "../systems/definition.ts";
import { contentCheck, exportsCheck, gateCheck, quarantineCheck, skipped, witnessChecks } from "./checks.ts";
import { contentDifferences, inDatabase, readContents, type Contents } from "./contents.ts";
import { countDifferences, type Counts } from "./differences.ts";
import type { GateSample } from "./gate-watch.ts";
import { databaseExists, exportsOutside, journalTimes, pristineOf, quarantineFacts, quarantinesOf, withDoors } from "./look-outside.ts";
import { addressOf, controlOf, liveNames, pinsNow, type Stage } from "./stage.ts";
import type { Judgement } from "./witness/judge.ts";
import { judgementOf, readJournal, type WitnessRun } from "./witness-process.ts";

export interface Evidence {
  stage: Stage;
  outcome: CrossingOutcome;
  /** Content by database before the newer release was deployed. */
  before: Record<string, Contents>;
  samples: GateSample[];
  witness: WitnessRun;
  /** Wall clock when the rollback was called, milliseconds. */
  started: number;
  /** The preview says that users get 503 meanwhile. */
  keptOut: boolean;
  /** The scope brings data back. */
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
  const address = addressOf(stage);
  const epoch = outcome.epoch ?? 0;
  const seen = readJournal(witness);
  const times = await journalTimes(address, controlOf(stage), epoch);
  const quarantines = restores ? await quarantinesOf(address, controlOf(stage), epoch) : [];
  const pristine = restores ? await pristines(stage) : {};
  return withDoors(address, [...quarantines.map(({ name }) => name), ...Object.values(pristine)], async () => {
    const judgement = await judgementOf(witness, {
      live: { ...address, database: liveNames(stage)[witnessDatabase(stage)] ?? "" },
      quarantines: quarantines
        .filter(({ database }) => database === witnessDatabase(stage))
        .map(({ name }) => ({ ...address, database: name })),
      exports: outcome.exported.map(({ path }) => path).filter((path) => path.endsWith(".jsonl")),
      period: { from: evidence.started, to: evidence.started + outcome.seconds * 1000 },
    });
    const rowsAtRisk = await differencesOf(stage, quarantines, pristine);
    const checks = [
      keptOut ? gateCheck(times, samples, seen.acknowledgedAt) : skipped("gate-closed-until-verified", "this scope keeps no users out"),
      ...(restores ? await restoreChecks(evidence, judgement, quarantines, rowsAtRisk, seen.prefix) : []),
      ...witnessChecks(judgement),
    ];
    return { checks, judgement, rowsAtRisk };
  });
}

/** Database of the definition that holds the witness's table. */
function witnessDatabase({ definition }: Stage): string {
  const { table } = definition.drill.witness;
  const found = Object.entries(definition.databases).find(([, { tables }]) => tables.includes(table));
  return found?.[0] ?? Object.keys(definition.databases)[0] ?? "";
}

/** Database of the definition → the pristine database it went back to. */
async function pristines(stage: Stage): Promise<Record<string, string>> {
  const { pins } = await pinsNow(stage);
  const found: Record<string, string> = {};
  for (const [database, pin] of Object.entries(pins.data)) {
    if (pin.kind !== "snapshot") continue;
    const name = await pristineOf(addressOf(stage), controlOf(stage), database, `${pin.name}@${pin.generation ?? 1}`);
    if (name !== null) found[database] = name;
  }
  return found;
}

async function differencesOf(
  stage: Stage,
  quarantines: readonly { name: string; database: string }[],
  pristine: Record<string, string>,
): Promise<Record<string, Counts>> {
  const address = addressOf(stage);
  const counts: Record<string, Counts> = {};
  for (const { name, database } of quarantines) {
    const base = pristine[database];
    if (base === undefined || !(await databaseExists(address, name))) continue;
    const tables = stage.definition.databases[database]?.tables ?? [];
    Object.assign(
      counts,
      await inDatabase(address, base, (before) => inDatabase(address, name, (after) => countDifferences(before, after, tables))),
    );
  }
  return counts;
}

async function restoreChecks(
  { stage, outcome, before }: Evidence,
  judgement: Judgement,
  quarantines: readonly { name: string }[],
  rowsAtRisk: Record<string, Counts>,
  prefix: string,
): Promise<CheckResult[]> {
  const address = addressOf(stage);
  const { witness } = stage.definition.drill;
  const differences = [];
  for (const [database, live] of Object.entries(liveNames(stage)))
    differences.push(
      ...contentDifferences(before[database] ?? {}, await inDatabase(address, live, (client) => readContents(client, prefix))),
    );
  const rows = Object.values(before)
    .flatMap((tables) => Object.values(tables))
    .reduce((sum, table) => sum + table.rows, 0);
  return [
    quarantineCheck(await quarantineFacts(address, outcome.quarantine ?? quarantines[0]?.name ?? null, witness, prefix)),
    exportsCheck(rowsAtRisk, await exportsOutside(outcome.exported, outcome.runId), judgement),
    contentCheck(differences, rows),
  ];
}
