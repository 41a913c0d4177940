/** Sets feature flags as declared, their values before saved in the journal first. */
import type { SqlSession } from "../../systems/sql-session.ts";
import { inLive } from "../inside.ts";
import { step, type Run } from "../run.ts";
import { hasTable } from "../tables.ts";

/** @param fenced whether the fence of the run's crossing stands; by its plan unless given. */
export async function setFlags(
  run: Run,
  flags: Record<string, boolean>,
  fenced?: boolean | "as it is",
): Promise<{ before: Record<string, boolean> }> {
  const store = run.definition.flags;
  if (store === undefined || Object.keys(flags).length === 0) return { before: {} };
  const stands = fenced ?? (await run.control.crossing(run.epoch))?.plan.fenceData === true;
  return inLive(
    run,
    store.database,
    (session) =>
      step(
        run,
        "install",
        "flags",
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
