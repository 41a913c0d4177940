/** Sets feature flags as declared, their values before saved in the journal first. */
import { finished } from "../../config/journal.ts";
import type { StateStore, Snapshot } from "../../config/record.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";
import type { AtRisk, InspectContext } from "../../databases/engine.ts";
import { inLive } from "../sessions.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { hasTable } from "../../databases/tables.ts";

/** @param fenced whether the fence of the run's rollout stands; by its plan unless given. */
export async function setFlags(
  run: Run,
  flags: Record<string, boolean>,
  fenced?: boolean | "as it is",
): Promise<{ before: Record<string, boolean> }> {
  const store = run.definition.flags;
  if (store === undefined || Object.keys(flags).length === 0) return { before: {} };
  const stands = fenced ?? (await run.state.rollout(run.epoch))?.plan.fenceData === true;
  return inLive(
    run,
    store.database,
    (session) =>
      step(
        run,
        { phase: "install", kind: "flags", name: "flags" },
        () => write(session, store, flags),
        (done) => ({ ...done, flags }),
      ),
    stands,
  );
}

async function write(
  session: SqlSession,
  store: NonNullable<Run["definition"]["flags"]>,
  flags: Record<string, boolean>,
): Promise<{ before: Record<string, boolean> }> {
  if (!(await hasTable(session, store.requiresTable))) return { before: {} };
  const before = await readFlags(session, store);
  for (const [name, enabled] of Object.entries(flags)) if (before[name] !== enabled) await session.run(store.writeSql, [name, enabled]);
  return { before };
}

/** Where an engine has no booleans, numbers stand for them. */
export async function readFlags(session: SqlSession, store: NonNullable<Run["definition"]["flags"]>): Promise<Record<string, boolean>> {
  const rows = await session.all<{ name: string; enabled: boolean | number }>(store.readSql);
  return Object.fromEntries(rows.map(({ name, enabled }) => [name, Boolean(enabled)]));
}

/**
 * Without the rows that are there because deployments since the snapshot set their flags: nobody wrote those, and a rollback sets its own. A flag that
 * was changed by others since counts. Known only where the rollout that took the snapshot set flags, too: it has what they were before.
 * @param fenced whether it is asked inside the fence. Who only looks is refused by one that has closed meanwhile: it would end who works there.
 */
export async function withoutOwnFlags(
  run: InspectContext & { state: StateStore },
  { database, epoch }: Pick<Snapshot, "database" | "epoch">,
  risk: AtRisk,
  fenced: boolean,
): Promise<AtRisk> {
  const store = run.definition.flags;
  const counted = store === undefined ? undefined : risk.rows[store.requiresTable];
  if (store?.database !== database || counted === undefined || counted.inserted + counted.updated === 0) return risk;
  const since = (await run.state.rollouts(Number.MAX_SAFE_INTEGER)).filter((rollout) => rollout.epoch >= epoch).reverse();
  const journal = (await Promise.all(since.map((rollout) => run.state.journal(rollout.epoch)))).flat();
  const steps = finished(journal, "flags").map(({ detail, epoch: of }) => ({ ...detail, epoch: of }));
  if (steps[0]?.epoch !== epoch) return risk;
  const { before } = steps[0];
  const set = Object.assign({}, ...steps.map(({ flags }) => flags)) as Record<string, boolean>;
  const live = await inLive(run, database, (session) => readFlags(session, store), fenced);
  const own = Object.keys(set).filter((name) => live[name] === set[name] && live[name] !== before[name]);
  const inserted = own.filter((name) => !(name in before)).length;
  const rest = {
    ...counted,
    inserted: Math.max(0, counted.inserted - inserted),
    updated: Math.max(0, counted.updated - (own.length - inserted)),
  };
  return own.length === 0
    ? risk
    : {
        ...risk,
        rows: { ...risk.rows, [store.requiresTable]: rest },
        notes: [...risk.notes, `${store.requiresTable}: not counted, as a deployment set it: ${own.join(", ")}`],
      };
}
