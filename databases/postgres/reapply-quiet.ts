/**
 * What must not act while rows are put back is switched off inside the transaction and on again, each as it was: triggers and rules of users, whose
 * work is in the export already; and foreign keys are checked once at the end, so that rows may come in any order. Never by the replica role, under
 * which foreign keys are not checked at all.
 */
import type { Client } from "pg";
import type { LiveReference, Target } from "./reapply-target.ts";
import { quote } from "../shared/identifiers.ts";

/** Rows were put back, but what was switched off is not as it was: nothing of it is kept. */
export class NotRestoredError extends Error {
  readonly differs: string[];
  constructor(differs: string[]) {
    super(
      `nothing was put back: ${differs.join(", ")} would not be as it was before. Set backout:newWrites to "export", which keeps the rows as files`,
    );
    this.name = "NotRestoredError";
    this.differs = differs;
  }
}

interface Acting {
  /** `"schema"."table"`, quoted. */
  table: string;
  kind: "TRIGGER" | "RULE";
  name: string;
  enabled: "O" | "D" | "R" | "A";
}

/** Triggers that the server made for partitions have a parent; those of foreign keys are constraints of the server's own. Parents come first. */
const ACTING = `
  WITH RECURSIVE members AS (
    SELECT c.oid, 0 AS depth FROM pg_class c WHERE c.oid = ANY ($1::regclass[]::oid[])
    UNION ALL SELECT i.inhrelid, m.depth + 1 FROM members m JOIN pg_inherits i ON i.inhparent = m.oid JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition)
  SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS "table", a.kind, a.name, a.enabled
    FROM members m JOIN pg_class c ON c.oid = m.oid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN (SELECT tgrelid AS oid, 'TRIGGER' AS kind, tgname AS name, tgenabled AS enabled FROM pg_trigger
                WHERE NOT tgisinternal OR (coalesce(to_jsonb(pg_trigger) ->> 'tgparentid', '0') <> '0' AND tgconstraint = 0)
               UNION ALL SELECT ev_class, 'RULE', rulename, ev_enabled FROM pg_rewrite WHERE ev_type <> '1') a ON a.oid = c.oid
   ORDER BY m.depth, 1, 2, 3`;

const ENABLE = { O: "ENABLE", D: "DISABLE", R: "ENABLE REPLICA", A: "ENABLE ALWAYS" } as const;

async function acting(live: Client, targets: readonly Pick<Target, "name" | "identifier">[]): Promise<Acting[]> {
  return (await live.query<Acting>(ACTING, [targets.map(({ identifier }) => identifier)])).rows;
}

function switchTo({ table, kind, name }: Acting, state: Acting["enabled"]): string {
  return `ALTER TABLE ONLY ${table} ${ENABLE[state]} ${kind} ${quote(name)}`;
}

/** Runs `work` with all of it switched off. Inside the caller's transaction, before anything is written. @throws NotRestoredError */
export async function quietly<T>(
  live: Client,
  { targets, references }: { targets: readonly Pick<Target, "name" | "identifier">[]; references: readonly LiveReference[] },
  work: () => Promise<T>,
): Promise<T> {
  await checkedForeignKeys(live);
  const before = await acting(live, targets);
  const off = before.filter(({ enabled }) => enabled !== "D");
  for (const one of off) await live.query(switchTo(one, "D"));
  const names = new Set(targets.map(({ name }) => name));
  const touched = references.filter(({ child, parent }) => names.has(child.name) || names.has(parent.name));
  const waiting = await deferred(live, touched);
  await live.query("SET CONSTRAINTS ALL DEFERRED");
  const result = await work();
  await live.query("SET CONSTRAINTS ALL IMMEDIATE");
  for (const { table, name, deferrable, deferred: late } of waiting)
    await live.query(
      `ALTER TABLE ${table} ALTER CONSTRAINT ${quote(name)} ${deferrable ? `DEFERRABLE INITIALLY ${late ? "DEFERRED" : "IMMEDIATE"}` : "NOT DEFERRABLE"}`,
    );
  for (const one of off) await live.query(switchTo(one, one.enabled));
  const text = (one: Acting): string => JSON.stringify(one);
  const after = new Set((await acting(live, targets)).map(text));
  const differing = before.filter((one) => !after.has(text(one)));
  if (differing.length > 0)
    throw new NotRestoredError(differing.map(({ table, kind, name }) => `${kind.toLowerCase()} ${name} of ${table}`));
  return result;
}

/** Those of others' tables are checked row by row, as they always are. */
async function deferred(live: Client, references: readonly LiveReference[]): Promise<LiveReference[]> {
  const done: LiveReference[] = [];
  for (const reference of references) {
    if (reference.deferrable) continue;
    await live.query("SAVEPOINT foreign_key");
    try {
      await live.query(`ALTER TABLE ${reference.table} ALTER CONSTRAINT ${quote(reference.name)} DEFERRABLE INITIALLY DEFERRED`);
      done.push(reference);
    } catch (error) {
      if ((error as { code?: string }).code !== "42501") throw error;
      await live.query("ROLLBACK TO SAVEPOINT foreign_key");
    }
    await live.query("RELEASE SAVEPOINT foreign_key");
  }
  return done;
}

/** Foreign keys would not be checked, and rows without parents would get in under a constraint that says it is valid. */
export class UnguardedReapplyError extends Error {
  constructor(role: string, cause: unknown) {
    super(
      `rows cannot be put back while foreign keys are not checked: session_replication_role is ${role} and cannot be set. Run ALTER ROLE … RESET session_replication_role`,
      { cause },
    );
    this.name = "UnguardedReapplyError";
  }
}

async function checkedForeignKeys(live: Client): Promise<void> {
  const { rows } = await live.query<{ role: string }>("SELECT current_setting('session_replication_role') AS role");
  const role = rows[0]!.role;
  if (role === "origin") return;
  await live.query("SET LOCAL session_replication_role = origin").catch((error: unknown) => {
    throw new UnguardedReapplyError(role, error);
  });
}
