/** What each generation of the backend notes of a change. */
import type { Session } from "../../kit/database.ts";
import type { Change, History } from "./record-routes.ts";

export const SYNC_FLAG = "bi_directional_sync";

function valuesOf({ operation, before, after, changedBy }: Change): unknown[] {
  const pfaId = (after ?? before)!.pfaId;
  return [after?.id ?? null, pfaId, operation, before && JSON.stringify(before), after && JSON.stringify(after), changedBy];
}

/** Up to v3: the change is kept. */
export const keepHistory: History = async (session, change) => {
  await session.query(
    "INSERT INTO pfa_modification (record_id, pfa_id, operation, before, after, changed_by) VALUES ($1, $2, $3, $4, $5, $6)",
    valuesOf(change),
  );
};

/** From v4: it also goes to PEMS, by way of the write queue, while the flag is on. */
export const keepAndEnqueue: History = async (session, change) => {
  const sync = change.synchronise && (await isSyncOn(session));
  const { rows } = await session.query<{ id: string }>(
    `INSERT INTO pfa_modification (record_id, pfa_id, operation, before, after, changed_by, sync_status)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
    [...valuesOf(change), sync ? "pending" : "local"],
  );
  if (!sync) return;
  const record = (change.after ?? change.before)!;
  await session.query(
    "INSERT INTO pfa_write_queue (modification_id, pfa_id, organization_id, operation, payload) VALUES ($1, $2, $3, $4, $5)",
    [rows[0]!.id, record.pfaId, record.organizationId, change.operation, JSON.stringify(record)],
  );
};

async function isSyncOn(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ enabled: boolean }>("SELECT enabled FROM feature_flags WHERE flag_name = $1", [SYNC_FLAG]);
  return rows[0]?.enabled === true;
}
