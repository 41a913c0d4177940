/** Brings a database's schema to what the pins need, by scripts or by the system's own command. The ledger says before and after what is there. */
import type { Migrated } from "../../../config/journal.ts";
import type { Pins } from "../../../config/pins.ts";
import type { DatabasePlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import type { Ledger } from "./ledger.ts";
import { migrationsOf, migrationsToRun } from "./of-definition.ts";
import { assertCanGoDown } from "./plan.ts";
import type { Migration } from "./script.ts";
import { isApplied, type MigrationState } from "./status.ts";
import { commandOf, runTool, ToolMissedError, type ToolPlace } from "./tool.ts";

/** One database inside the fence, as its engine reaches it. */
export interface SchemaAccess {
  ledger(): Promise<Ledger>;
  states(ledger: Ledger, known: readonly Migration[]): Promise<MigrationState[]>;
  apply(migration: Migration): Promise<unknown>;
  rollBack(migration: Migration): Promise<unknown>;
  mark(migration: Migration): Promise<unknown>;
  /** Lets the command in and nobody else, for as long as `work` takes. */
  admitTool<T>(work: (place: ToolPlace) => Promise<T>): Promise<T>;
}

/** What is done already is found in the ledger: run again after a kill, it goes on from there. */
export async function bringSchema(run: Run, database: string, pins: Pins, plan: DatabasePlan, access: SchemaAccess): Promise<Migrated> {
  const look = async () => {
    const ledger = await access.ledger();
    const known = migrationsOf(run.definition, database, ledger);
    return { known, states: await access.states(ledger, known) };
  };
  const { known, states } = await look();
  const { up, back } = migrationsToRun(known, states, pins.needs[database], plan);
  const output: string[] = [];
  const byTool = async (direction: "up" | "down"): Promise<void> => {
    const work = { database, direction, schema: pins.needs[database] ?? null, release: pins.release };
    output.push(...(await access.admitTool((place) => runTool(run, { ...work, ...place }))));
    const applied = new Set((await look()).states.filter(isApplied).map(({ name }) => name));
    const wrong = (direction === "up" ? up : back).map(({ name }) => name).filter((name) => applied.has(name) !== (direction === "up"));
    const command = commandOf(run, database, direction)!;
    if (wrong.length > 0)
      throw new ToolMissedError(command, database, `${wrong.join(", ")} ${direction === "up" ? "is not applied" : "is still applied"}`);
  };
  if (up.length > 0 && commandOf(run, database, "up") !== null) await byTool("up");
  else for (const migration of up) await access.apply(migration);
  if (plan.backBy === "down" && back.length > 0 && commandOf(run, database, "down") !== null) await byTool("down");
  else if (plan.backBy === "down") {
    assertCanGoDown(back);
    for (const migration of back) await access.rollBack(migration);
  } else if (plan.backBy === "mark") for (const migration of back) await access.mark(migration);
  return {
    up: up.map(({ name }) => name),
    back: plan.backBy === "keep" ? [] : back.map(({ name }) => name),
    ...(output.length === 0 ? {} : { output }),
  };
}
