/**
 * Restrictions besides the gate. The originals are written down before anything is restricted and stay as first written down until they are
 * given back; they are given back before data is copied or set aside, so that no snapshot and no quarantine ever holds a restriction.
 */
import type { ProtectionDefinition } from "../config/system/protection.ts";
import type { SqlSession } from "../config/system/sql-session.ts";
import { inLive } from "./sessions.ts";
import { givenKey, heldKey, type OriginalsStore, type Originals } from "./originals.ts";
import type { RolloutPlan } from "../config/plan.ts";
import { step } from "./run.ts";
import type { RestrictionDone } from "../config/journal.ts";
import type { Run } from "../config/run.ts";
import { hasTable } from "../databases/tables.ts";

export type ProtectionOutcome = { id: string; rows: number; did: "restricted" | "given back" | "unchanged" | "no such table" };

export async function restrict(session: SqlSession, keeping: OriginalsStore, protection: ProtectionDefinition): Promise<ProtectionOutcome> {
  const { id } = protection;
  if (!(await hasTable(session, protection.requiresTable))) return { id, rows: 0, did: "no such table" };
  const held = await keeping.kept<Originals>(heldKey(id));
  // Restricted rows read again would become the originals of themselves.
  if (held === null) await keeping.keepFirst(heldKey(id), await session.all<Originals[number]>(protection.readSql));
  const rows = await session.transaction(() => session.run(protection.restrictSql));
  return { id, rows, did: held !== null && rows === 0 ? "unchanged" : "restricted" };
}

export async function giveBack(session: SqlSession, keeping: OriginalsStore, protection: ProtectionDefinition): Promise<ProtectionOutcome> {
  const { id } = protection;
  const held = await keeping.kept<Originals>(heldKey(id));
  if (held === null) return { id, rows: 0, did: "unchanged" };
  const rows = !(await hasTable(session, protection.requiresTable))
    ? 0
    : await session.transaction(async () => {
        let changed = 0;
        // Only rows whose original is recorded are given back.
        for (const { key, value } of held) changed += await session.run(protection.giveBackSql, [key, value]);
        return changed;
      });
  await keeping.forget(givenKey(id));
  await keeping.keepFirst(givenKey(id), held);
  await keeping.forget(heldKey(id));
  return { id, rows, did: "given back" };
}

/** Those a rollout puts on: only on the way back. */
function protectionsOf(run: Pick<Run, "definition">, plan: RolloutPlan, database?: string): ProtectionDefinition[] {
  if (plan.forward) return [];
  return (run.definition.protections ?? []).filter(
    ({ scopes, database: its }) =>
      (database === undefined || its === database) &&
      plan.databases[its]?.action.kind !== "create" &&
      (scopes === undefined || (plan.scope !== null && scopes.includes(plan.scope))),
  );
}

/** Before anything stops, or on data that has just taken the place of the restricted one. */
export async function putProtections(run: Run, phase: "fence" | "data", plan: RolloutPlan, database?: string): Promise<void> {
  for (const protection of protectionsOf(run, plan, database)) {
    const work = (): Promise<ProtectionOutcome> => inLive(run, protection.database, (session) => restrict(session, run.state, protection));
    const head = { phase, kind: "restrict", name: `protection ${protection.id}` } as const;
    const restricting = phase === "data" ? work : () => tolerant(run, plan, protection, work);
    await step<"restrict", RestrictionDone>(run, head, restricting, (done) => done);
  }
}

/** Broken data may not take the restriction. Where the gate keeps users out anyway, the rollback continues. */
async function tolerant(
  run: Run,
  plan: RolloutPlan,
  protection: ProtectionDefinition,
  work: () => Promise<ProtectionOutcome>,
): Promise<RestrictionDone> {
  try {
    return await work();
  } catch (error) {
    if (!plan.closeGate) throw error;
    run.log("warning", `${protection.title}: was not applied: ${(error as Error).message}; the gate keeps users out`);
    return { id: protection.id, did: `was not applied: ${(error as Error).message}` };
  }
}

/** Gives back whatever is held, by whichever rollout: no restriction may outlive its reason. */
export async function liftProtections(run: Run, phase: "fence" | "open"): Promise<void> {
  for (const protection of run.definition.protections ?? []) {
    if ((await run.state.kept(heldKey(protection.id))) === null) continue;
    const plan = (await run.state.rollout(run.epoch))?.plan;
    await step<"give-back", RestrictionDone>(
      run,
      { phase, kind: "give-back", name: `${phase === "fence" ? "lift" : "give back"} ${protection.id}` },
      async () => {
        const work = (): Promise<ProtectionOutcome> =>
          inLive(run, protection.database, (session) => giveBack(session, run.state, protection));
        const replaced = plan?.databases[protection.database]?.action.kind;
        if (phase === "open" || (replaced !== "restore" && replaced !== "undo")) return work();
        return work().catch(async (error: Error) => {
          run.log("warning", `${protection.title}: was not lifted from data that is about to be replaced: ${error.message}`);
          await run.state.forget(heldKey(protection.id));
          return { id: protection.id, rows: 0, did: "not lifted" };
        });
      },
      (done) => done,
    );
  }
}
