/**
 * The worst case of a rollback: a new environment with its own stack, home and server is created, and the data comes from the snapshot. The
 * environment that failed stays as it is, closed.
 */
import { cpSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { openState } from "../../databases/open-state.ts";
import { withCopy } from "../../databases/postgres/engine/standby.ts";
import type { CopyContext } from "../../databases/engine.ts";
import type { Facts } from "../../rollout/inspect.ts";
import { migrationsOf } from "../../databases/shared/migrations/of-definition.ts";
import { editPins, encryptedKeys, type PinEdit } from "../../config/edit.ts";
import { EMBEDDED_USER, endpointOf, liveName, ownerRole, secretOf, serverHome, servicesRole } from "../../config/site.ts";
import { stackFolder } from "../../config/stack-folder.ts";
import type { Snapshot } from "../../config/record.ts";
import { connect, withSession } from "../../databases/postgres/connection.ts";
import { applyMigration } from "../../databases/postgres/migrations.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../databases/postgres/roles.ts";
import { ensureServer } from "../../databases/postgres/server.ts";
import { transferRows } from "../../databases/postgres/transfer.ts";
import { refreshViews } from "../../databases/postgres/integrity.ts";
import { rollOut, type RolloutOutcome } from "../pulumi/roll-out.ts";
import { openStack, writeStack, type OpenStack } from "../pulumi/stack.ts";

import { say } from "../pulumi/outcome.ts";
import { RefusedError } from "../../config/errors.ts";
import { previewOf, type PreviewOutcome } from "../pulumi/preview.ts";
import type { StackConfig } from "../../config/schema.ts";

/** @throws RefusedError if no snapshot exists to create it from */
export async function freshEnvironment(
  failed: OpenStack,
  name: string,
  alternative: Alternative,
  facts: Facts,
  runId: string,
  reason: string | null,
  confirm: () => Promise<void>,
): Promise<Taken> {
  if (facts.reach.kind !== "reached")
    throw new RefusedError("the server with the snapshots is unreachable: start it, or restore a dump of it; nothing was changed");
  const snapshots = Object.fromEntries(
    Object.keys(failed.definition.databases).map((database) => [database, snapshotFor(failed, facts, database)]),
  );
  const stack = `${failed.stack}-${name}`;
  const file = join(stackFolder(failed.project), `Pulumi.${stack}.yaml`);
  const home = ownHome(failed, name);
  if (existsSync(file) || existsSync(home))
    throw new RefusedError(`${file} or ${home} exists already: a fresh environment needs both names free; nothing was changed`);
  const text = editPins(encryptedKeys(failed.text).length > 0 ? failed.text : withoutSalt(failed.text), freshEdits(alternative));
  say(
    `a new environment "${stack}" is created from ${Object.values(snapshots)
      .map(({ name: of, generation }) => `${of}@${generation}`)
      .join(", ")}`,
  );
  await confirm();
  // If the failed environment has a home of its own, this one gets one too.
  if (process.env["BACKOUT_HOME"] !== undefined) process.env["BACKOUT_HOME"] = home;
  const written = writeStack({ project: failed.project, stack, file, text }, text);
  const fresh = await openStack(written, written.text);
  // Same accounts and keys: users log in as before.
  if (existsSync(join(failed.site.home, "secrets")))
    cpSync(join(failed.site.home, "secrets"), join(fresh.site.home, "secrets"), { recursive: true });
  await ensureServer({ home: serverHome(fresh.site), port: alternative.fresh!.serverPort, superuser: EMBEDDED_USER, log: say });
  for (const [database, snapshot] of Object.entries(snapshots)) await fill(failed, fresh, database, snapshot);
  const preview = await previewOf(fresh, fresh, false);
  const outcome = await rollOut(fresh, written.text, { runId, reason });
  return { outcome, preview, stack: fresh };
}

/** The snapshot of the rollback; if it named none, the newest snapshot of the release it goes to. */
function snapshotFor({ pins }: OpenStack, { snapshots }: Facts, database: string): Snapshot {
  const pin = pins.data[database];
  const own = snapshots.filter((snapshot) => snapshot.database === database);
  const found =
    pin?.kind === "snapshot"
      ? own.find(({ name, generation }) => name === pin.name && (pin.generation === null || generation === pin.generation))
      : own.filter(({ release }) => release === pins.release).at(-1);
  if (found === undefined)
    throw new RefusedError(
      `no snapshot of ${database} fits to create a new environment from; existing ones: ${own.map(({ name, generation }) => `${name}@${generation}`).join(", ") || "none"}`,
    );
  return found;
}

function ownHome({ site }: OpenStack, name: string): string {
  return process.env["BACKOUT_HOME"] === undefined ? join(dirname(site.home), `${site.stack}-${name}`) : `${site.home}-${name}`;
}

export function freshEdits({ target, ports, fresh }: Alternative): PinEdit[] {
  return [
    { path: ["data"], value: "current" },
    { path: ["schema"], value: "keep" },
    // A new environment has nothing to roll back to.
    { path: ["scope"], value: undefined },
    // Its data exists before its state: this verb copies it from the snapshot.
    { path: ["adopt"], value: true },
    { path: ["alternatives"], value: undefined },
    // An alternative that was tried before may have left one.
    ...(target === undefined ? [] : [{ path: ["target"], value: target } satisfies PinEdit]),
    { path: ["server"], value: { embedded: true, port: fresh!.serverPort } },
    ...Object.entries(ports).map(([port, value]): PinEdit => ({ path: ["ports", port], value })),
  ];
}

function withoutSalt(text: string): string {
  return text.replaceAll(/^(encryptionsalt|secretsprovider|encryptedkey):.*\n/gm, "");
}

/** Creates roles, database and schema as a first deployment does, then copies the rows of the snapshot. */
async function fill(failed: OpenStack, fresh: OpenStack, database: string, snapshot: Snapshot): Promise<void> {
  const { site, definition, pins } = fresh;
  const live = liveName(site, database);
  await withSession(endpointOf(site), "postgres", async (client) => {
    await ensureRole(client, { name: ownerRole(site), login: false, password: secretOf(site, "database-owner") });
    await ensureRole(client, { name: servicesRole(site), login: true, password: secretOf(site, "database") });
    await ensureDatabase(client, { name: live, owner: ownerRole(site) });
  });
  const target = await connect(endpointOf(site), live);
  const state = await openState(failed.site, failed.definition);
  if (state === null) throw new RefusedError("the state of the environment that failed is missing; nothing was changed");
  try {
    const known = migrationsOf(definition, database);
    const needed = known.findIndex(({ name }) => name === pins.needs[database]);
    for (const migration of known.slice(0, needed + 1)) await applyMigration(target, migration, { owner: ownerRole(site) });
    await grantServices(target, { database: live, owner: ownerRole(site), role: servicesRole(site) });
    const keeping: CopyContext = { site: failed.site, definition: failed.definition, state, log: (_severity, message) => say(message) };
    const rows = await withCopy(keeping, snapshot, (source) => transferRows(source, target));
    if (definition.databases[database]!.refreshViews === true) await refreshViews(target);
    say(`${rows} rows of ${database} copied from ${snapshot.name}@${snapshot.generation} and compared: identical`);
  } finally {
    await target.end().catch(() => undefined);
    await state.end();
  }
}

export type Alternative = StackConfig["alternatives"][string];

export interface Taken {
  outcome: RolloutOutcome;
  preview: PreviewOutcome;
  /** The stack that serves the system now. */
  stack: OpenStack;
}
