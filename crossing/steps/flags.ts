/** Sets feature flags as declared, their values before saved in the journal first. */
import { endpointOf, liveName } from "../../declared/site.ts";
import { sessionInside } from "../../postgres/fence.ts";
import { connect } from "../../postgres/connection.ts";
import { step, type Run } from "../run.ts";
import type { Client } from "pg";

export async function setFlags(run: Run, flags: Record<string, boolean>): Promise<{ before: Record<string, boolean> }> {
  const store = run.definition.flags;
  if (store === undefined || Object.keys(flags).length === 0) return { before: {} };
  const live = liveName(run.site, store.database);
  const fenced = (await run.control.crossing(run.epoch))?.plan.fenceData === true;
  const client = fenced ? await sessionInside(endpointOf(run.site), run.control.client, live) : await connect(endpointOf(run.site), live);
  try {
    return await step(
      run,
      "install",
      "flags",
      () => write(client, store, flags),
      (done) => ({ ...done, flags }),
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function write(
  client: Client,
  store: NonNullable<Run["definition"]["flags"]>,
  flags: Record<string, boolean>,
): Promise<{ before: Record<string, boolean> }> {
  const { rows: found } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [store.requiresTable]);
  if (found[0]?.found !== true) return { before: {} };
  const { rows } = await client.query<{ name: string; enabled: boolean }>(store.readSql);
  const before = Object.fromEntries(rows.map(({ name, enabled }) => [name, enabled]));
  for (const [name, enabled] of Object.entries(flags)) if (before[name] !== enabled) await client.query(store.writeSql, [name, enabled]);
  return { before };
}
