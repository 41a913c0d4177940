/** Constraints of a live PostgreSQL database: the same where it is renamed and where it is replaced in place. */
import type { Client } from "pg";
import { endpointOf, liveName } from "../../../config/site.ts";
import type { Snapshot } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import type { ConstraintState } from "../../../config/system/constraint.ts";
import type { InspectContext } from "../../engine.ts";
import type { ConstraintSession } from "../../shared/constraints.ts";
import { connect, withSession } from "../connection.ts";
import { dropConstraint, enforceConstraint, unvalidateConstraint } from "../constraint-change.ts";
import { quarantineRows } from "../constraint-quarantine.ts";
import { constraintStates } from "../constraint-states.ts";
import { findViolations, violationCondition } from "../constraint-violations.ts";
import { dependents, findConstraint, saveConstraint } from "../constraints.ts";
import { sessionInside } from "../fence.ts";
import { postgresSession } from "../sql-session.ts";
import { clientOf } from "./session.ts";

type Place = Pick<InspectContext, "site" | "definition">;

export async function states({ site, definition }: Place, database: string): Promise<Record<string, ConstraintState>> {
  return withSession(endpointOf(site), liveName(site, database), (client) => constraintStates(client, definition, database));
}

/** A session of ours must not close what is open. */
export async function open({ site, state }: Run, database: string): Promise<ConstraintSession> {
  const [endpoint, admin, live] = [endpointOf(site), clientOf(state), liveName(site, database)];
  const { rows } = await admin.query<{ open: boolean }>("SELECT datallowconn AS open FROM pg_database WHERE datname = $1", [live]);
  return sessionOf(await (rows[0]?.open === false ? sessionInside(endpoint, admin, live) : connect(endpoint, live)));
}

export async function openToRead({ site }: Place, database: string): Promise<ConstraintSession> {
  return sessionOf(await connect(endpointOf(site), liveName(site, database)));
}

/** A pristine copy accepts connections, and goes on to: everything that compares with it needs one. */
export async function openSnapshot({ site }: Place, { driver, location }: Snapshot): Promise<ConstraintSession | null> {
  return driver === "template" ? sessionOf(await connect(endpointOf(site), location, { readOnly: true })) : null;
}

function sessionOf(client: Client): ConstraintSession {
  return {
    session: postgresSession(client),
    end: () => client.end().catch(() => undefined),
    find: ({ table, name }) => findConstraint(client, table, name),
    save: (found) => saveConstraint(client, found),
    dependents: ({ table, name }) => dependents(client, table, name),
    violations: ({ table, name, violates }, saved) => findViolations(client, table, violationCondition(table, name, saved, violates)),
    drop: (subject, record) => dropConstraint(client, subject, record),
    enforce: (subject, enforcement, record) => enforceConstraint(client, subject, enforcement, record),
    unvalidate: (subject, saved) => unvalidateConstraint(client, subject, saved),
    quarantine: (...moved) => quarantineRows(client, ...moved),
  };
}
