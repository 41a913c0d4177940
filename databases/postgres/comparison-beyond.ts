/** What a database holds besides the rows of its tables: compared where it can be, and else named, never passed over in silence. */
import type { Client } from "pg";
import { STATE_SCHEMA } from "./state/schema.ts";
import { formatTable, parseTable } from "../shared/identifiers.ts";
import { IS_DATA, planTable, planTables, READABLE, readShapes, type TablePlan, type TableShape } from "./comparison-shape.ts";
import { type SequenceMoves, type SequenceState, movedSequences } from "../shared/sequences.ts";
import { LARGE_OBJECTS, type NotCompared } from "../shared/not-compared.ts";

const CHUNK_BYTES = 65_536;

const LARGE_OBJECT_ROWS = `(
  SELECT o.oid AS loid, c.place * ${CHUNK_BYTES} AS at, lo_get(o.oid, c.place * ${CHUNK_BYTES}, ${CHUNK_BYTES}) AS data
    FROM (SELECT f.oid, lo_lseek64(f.fd, 0, 2) AS size, f.fd FROM (SELECT oid, lo_open(oid, 262144) AS fd FROM pg_largeobject_metadata OFFSET 0) f OFFSET 0) o
         CROSS JOIN LATERAL (SELECT lo_close(o.fd) WHERE o.size >= 0 OFFSET 0) closed
         CROSS JOIN LATERAL generate_series(0, greatest(o.size - 1, 0) / ${CHUNK_BYTES}) AS c (place))`;

const UNREADABLE_OBJECTS = `
  SELECT count(*)::int AS objects,
         count(*) FILTER (WHERE NOT (r.rolsuper OR pg_has_role(current_user, m.lomowner, 'USAGE')
           OR EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(current_user, a.grantee, 'USAGE')))))::int AS unreadable
    FROM pg_largeobject_metadata m, pg_roles r WHERE r.rolname = current_user`;

/** Null where there are none; `unreadable` where the session may not read them all. */
async function largeObjects(client: Client): Promise<TableShape | "unreadable" | null> {
  const { rows } = await client.query<{ objects: number; unreadable: number }>(UNREADABLE_OBJECTS);
  const { objects, unreadable } = rows[0]!;
  if (objects === 0) return null;
  if (unreadable > 0) return "unreadable";
  const column = { generated: false, missing: null, stored: true, wide: null, unfilled: ["NULL"] };
  return {
    name: LARGE_OBJECTS,
    schema: "pg_catalog",
    table: "pg_largeobject",
    source: LARGE_OBJECT_ROWS,
    columns: [
      { ...column, name: "loid", type: "oid", place: 1 },
      { ...column, name: "at", type: "bigint", place: 2 },
      { ...column, name: "data", type: "bytea", place: 3 },
    ],
    primaryKey: ["loid", "at"],
    anyBytes: false,
    file: null,
  };
}

const BEYOND = `
  SELECT n.nspname AS schema, c.relname AS "table", c.relkind = 'f' AS "foreign",
         (SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid) AS server
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ((c.relkind = 'f' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_') OR (${IS_DATA} AND NOT (${READABLE})))
   ORDER BY 1, 2`;

/** Tables of one side that are not read. */
export async function unreadTables(client: Client): Promise<NotCompared[]> {
  const { rows } = await client.query<{ schema: string; table: string; foreign: boolean; server: string | null }>(BEYOND);
  return rows.map((row) => ({
    name: formatTable(row),
    ...(row.foreign
      ? { kind: "foreign table", why: `its rows are on server ${row.server ?? "?"} and stay as they are`, mayBeLost: false }
      : { kind: "table", why: "backout's role may not read it: GRANT SELECT lets it be compared", mayBeLost: true }),
  }));
}

const SEQUENCES = `
  SELECT n.nspname AS schema, c.relname AS "table", s.last_value::text AS value,
         EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0)
         OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) AS feeds
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_sequences s ON s.schemaname = n.nspname AND s.sequencename = c.relname
   WHERE c.relkind = 'S' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> '${STATE_SCHEMA}' ORDER BY 1, 2`;

async function readSequences(client: Client): Promise<Map<string, SequenceState>> {
  const { rows } = await client.query<{ schema: string; table: string } & SequenceState>(SEQUENCES);
  return new Map(rows.map(({ value, feeds, ...name }) => [formatTable(name), { value, feeds }]));
}

export interface Everything {
  plans: TablePlan[];
  notCompared: NotCompared[];
  sequences: SequenceMoves;
}

/**
 * How everything in two databases is compared: every table of either, large objects, and what can only be named.
 * @param leftAlone schemas that a restore does not reach
 */
export async function planEverything(base: Client, current: Client, leftAlone: readonly string[] = []): Promise<Everything> {
  const within = (name: string): boolean => !leftAlone.includes(parseTable(name).schema);
  const [objectsBefore, objectsNow] = [await largeObjects(base), await largeObjects(current)];
  const { moves, notCompared } = movedSequences(await readSequences(base), await readSequences(current));
  const unread = new Map([...(await unreadTables(base)), ...(await unreadTables(current))].map((one) => [one.name, one]));
  const { plans } = planTables(await readShapes(base), await readShapes(current));
  const beside = new Set(plans.filter(({ name }) => !within(name)).map(({ name }) => parseTable(name).schema));
  const readable = plans.filter(({ name }) => within(name) && !unread.has(name));
  const unreadable = objectsBefore === "unreadable" || objectsNow === "unreadable";
  if (!unreadable && (objectsBefore ?? objectsNow) !== null) readable.push(planTable(objectsBefore, objectsNow));
  return {
    plans: readable,
    notCompared: [
      ...[...unread.values()].filter(({ name }) => within(name)),
      ...(unreadable ? [UNREAD_OBJECTS] : []),
      ...notCompared.filter(({ name }) => within(name)),
      ...[...beside].map((name) => ({ name, kind: "schema", why: "it is left alone, and stays as it is", mayBeLost: false })),
    ],
    sequences: Object.fromEntries(Object.entries(moves).filter(([name]) => within(name))),
  };
}

const UNREAD_OBJECTS: NotCompared = {
  name: "large objects",
  kind: "large objects",
  why: "backout's role may not read all of them",
  mayBeLost: true,
};
