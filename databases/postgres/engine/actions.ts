/** After-success actions on a live PostgreSQL database. What goes is kept as files first; all of it is one transaction. */
import { join } from "node:path";
import type { Client } from "pg";
import { endpointOf, liveName } from "../../../config/site.ts";
import type { ActionDefinition } from "../../../config/system/definition.ts";
import type { Run } from "../../../config/run.ts";
import type { ActionDone } from "../../engine.ts";
import { migrationsOf } from "../../shared/migrations/of-definition.ts";
import { isApplied } from "../../shared/migrations/status.ts";
import { withSession } from "../connection.ts";
import { dropKept, keepTables, presentTables } from "../kept-tables.ts";
import { appliedMigrations, ledgerIn, markRolledBack } from "../migrations.ts";
import { atomically } from "../transaction.ts";

/** How long it waits for readers of the tables it drops. Milliseconds. */
const LOCK_TIMEOUT_MS = 10_000;

export async function carryOut(run: Run, action: ActionDefinition): Promise<ActionDone> {
  return withSession(endpointOf(run.site), liveName(run.site, action.database), (session) =>
    atomically(session, async () => {
      await session.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      return work(session, run, action);
    }),
  );
}

async function work(session: Client, run: Run, action: ActionDefinition): Promise<ActionDone> {
  const present = await presentTables(session, action.keeps);
  if (action.work === "drop" && present.length === 0)
    return { unchanged: true, detail: `${action.keeps.join(", ")}: already dropped`, kept: [] };
  const folder = join(run.site.home, "kept", run.runId);
  const kept = await keepTables(session, present, folder, run.runId);
  const detail = action.work === "drop" ? await dropKept(session, present) : await action.work(session);
  if (detail === null) return { unchanged: true, detail: "nothing to do", kept };
  await forgetMigration(session, run, action);
  return { unchanged: false, detail, kept };
}

/** Its objects are gone: a release that needs them has the migration applied again. */
async function forgetMigration(session: Client, { definition }: Run, { database, migration }: ActionDefinition): Promise<void> {
  if (migration === undefined) return;
  const ledger = await ledgerIn(session, definition, database);
  const known = migrationsOf(definition, database, ledger);
  const states = await appliedMigrations(session, ledger, known);
  const state = states.find(({ name }) => name === migration);
  if (state !== undefined && isApplied(state))
    await markRolledBack(
      session,
      known.find(({ name }) => name === migration)!,
    );
}
