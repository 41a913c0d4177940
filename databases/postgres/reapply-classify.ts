/** Compares three states of every staged row: what it was in the snapshot, what became of it, and what the live database has. */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";
import { DETAIL, LINE, OP, REASON, UNCHANGED } from "../shared/reapply/decide.ts";
import { COPIES, PLACE, type Staged } from "./reapply-stage.ts";

/**
 * Marks what is there already, and what clashes with the live row or with the rules for one row alone. What is left is to be written.
 * @param objects numbers of large objects that were made since the snapshot; null: not known
 */
export async function classify(live: Client, staged: Staged, objects: ReadonlySet<string> | null): Promise<void> {
  await (staged.target.key.length === 0 ? byCopies(live, staged) : byKey(live, staged));
  await live.query(`CREATE INDEX ON ${staged.staged} (${PLACE.row}); ANALYZE ${staged.staged}`);
  await markRefused(live, staged);
  await markWithoutObject(live, staged, objects);
}

async function byKey(live: Client, { staged, before, hadColumns, target }: Staged): Promise<void> {
  const { source } = target.shape;
  const key = target.key.map((column) => `t.${quote(column)} = s.${quote(column)}`).join(" AND ");
  // A key that only its type takes for this one (1.0 for 1.00, citext, a collation) belongs to another row.
  const its = target.key.map((column) => `t.${quote(column)}::text = s.${quote(column)}::text`).join(" AND ");
  if (!target.uniques.some(({ keys, where }) => where === null && keys.length === target.key.length))
    await live.query(
      `UPDATE ${staged} SET ${REASON} = 'changed on both sides', ${DETAIL} = 'the live database has several rows with this key'
        WHERE ${REASON} IS NULL AND ${LINE} IN (SELECT s.${LINE} FROM ${staged} s JOIN ${source} t ON ${key} GROUP BY 1 HAVING count(*) > 1)`,
    );
  // Columns that the export does not know stay as they are.
  const kept = target.defaulted.map((column) => `, ${quote(column)} = t.${quote(column)}`).join("");
  await live.query(
    `UPDATE ${staged} s SET ${PLACE.table} = t.tableoid, ${PLACE.row} = t.ctid${kept} FROM ${source} t WHERE s.${REASON} IS NULL AND ${key} AND ${its}`,
  );
  const had = target.held.filter((column) => hadColumns?.has(column) === true);
  const differs = (columns: readonly string[], one: string, other: string): string =>
    columns.length === 0
      ? "''"
      : `concat_ws(', ', ${columns.map((column) => `CASE WHEN ${one}.${quote(column)}::text IS DISTINCT FROM ${other}.${quote(column)}::text THEN ${literal(column)} END`).join(", ")})`;
  await live.query(
    `UPDATE ${staged} s SET ${REASON} = c.reason, ${DETAIL} = c.detail
       FROM (SELECT x.line, CASE x.op
                 WHEN 'insert' THEN CASE WHEN x.place IS NULL THEN NULL WHEN x.ahead = '' THEN '${UNCHANGED}' ELSE 'changed on both sides' END
                 WHEN 'update' THEN CASE WHEN x.changed = '' THEN 'not held' WHEN x.place IS NULL THEN 'row gone' WHEN x.ahead = '' THEN '${UNCHANGED}'
                                         WHEN x.since <> '' THEN 'changed on both sides' END
                 ELSE CASE WHEN x.place IS NULL THEN '${UNCHANGED}' WHEN x.gone <> '' THEN 'changed on both sides' END END AS reason,
               CASE x.op WHEN 'insert' THEN 'the live database has another row with this key; it differs in ' || x.ahead
                         WHEN 'update' THEN CASE WHEN x.place IS NULL THEN 'the live database has no row with this key' ELSE 'the live row was changed, too: ' || x.since END
                         ELSE 'the live row was changed since: ' || x.gone END AS detail
               FROM (SELECT s.${LINE} AS line, s.${OP} AS op, s.${PLACE.row} AS place, ${differs(target.held, "s", "t")} AS ahead, ${differs(had, "b", "s")} AS changed,
                            ${differs(had, "b", "t")} AS since, ${differs(had, "s", "t")} AS gone
                       FROM ${staged} s LEFT JOIN ${source} t ON t.tableoid = s.${PLACE.table} AND t.ctid = s.${PLACE.row} LEFT JOIN ${before} b ON b.${LINE} = s.${LINE}
                      WHERE s.${REASON} IS NULL) x) c
      WHERE c.line = s.${LINE} AND c.reason IS NOT NULL`,
  );
}

/** Without a key only the number of equal rows can be corrected; `copies` is what it must be at least, or at most for a delete. */
async function byCopies(live: Client, { staged, hadColumns, target }: Staged): Promise<void> {
  // Only what the live table has no column for changed.
  await live.query(`UPDATE ${staged} SET ${REASON} = 'not held' WHERE ${OP} = 'update' AND ${REASON} IS NULL`);
  const compared = target.held.filter((column) => hadColumns === null || hadColumns.has(column));
  const content = (row: string): string => `ROW(${compared.map((column) => `${row}.${quote(column)}`).join(", ")})::text`;
  await live.query(
    `CREATE TEMP TABLE backout_copies ON COMMIT DROP AS
       SELECT t.tableoid AS of, t.ctid AS place, ${content("t")} AS content, row_number() OVER (PARTITION BY ${content("t")}) AS number
         FROM ${target.shape.source} t WHERE ${content("t")} IN (SELECT ${content("s")} FROM ${staged} s)`,
  );
  await live.query("ANALYZE backout_copies");
  await live.query(
    `UPDATE ${staged} s SET ${REASON} = '${UNCHANGED}'
       FROM (SELECT s.${LINE} AS line FROM ${staged} s LEFT JOIN (SELECT content, count(*) AS rows FROM backout_copies GROUP BY 1) c ON c.content = ${content("s")}
              WHERE s.${OP} = 'insert' AND coalesce(c.rows, 0) >= s.${COPIES}) x
      WHERE x.line = s.${LINE} AND s.${REASON} IS NULL`,
  );
  await live.query(
    `UPDATE ${staged} s SET ${PLACE.table} = c.of, ${PLACE.row} = c.place
       FROM (SELECT ${LINE} AS line, ${content("d")} AS content, ${COPIES} + row_number() OVER (PARTITION BY ${content("d")} ORDER BY ${LINE}) AS number
               FROM ${staged} d WHERE ${OP} = 'delete' AND ${REASON} IS NULL) x JOIN backout_copies c ON c.content = x.content AND c.number = x.number
      WHERE x.line = s.${LINE}`,
  );
  await live.query(
    `UPDATE ${staged} SET ${REASON} = '${UNCHANGED}' WHERE ${OP} = 'delete' AND ${REASON} IS NULL AND ${PLACE.row} IS NULL; DROP TABLE backout_copies`,
  );
}

/** What a row alone would be refused for. A condition that cannot be asked of a staged row is left to the live table. */
async function markRefused(live: Client, { staged, target }: Staged): Promise<void> {
  const given = new Set([...target.held, ...target.defaulted.filter((column) => !target.identities.includes(column))]);
  const rules = [
    ...target.required
      .filter((column) => given.has(column))
      .map((column) => ({ broken: `${quote(column)} IS NULL`, told: `null value in column ${quote(column)}` })),
    ...target.checks.map(({ name, expression }) => ({ broken: `(${expression}) IS FALSE`, told: `${name}: the row violates it` })),
  ];
  for (const { broken, told } of rules) {
    await live.query("SAVEPOINT rule");
    await live
      .query(
        `UPDATE ${staged} SET ${REASON} = 'constraint violated', ${DETAIL} = ${literal(told)} WHERE ${REASON} IS NULL AND ${OP} <> 'delete' AND ${broken}`,
      )
      .catch(() => live.query("ROLLBACK TO SAVEPOINT rule"));
    await live.query("RELEASE SAVEPOINT rule");
  }
}

/** Rows that point at large objects: an export holds no content of theirs, and one that is not in the live database would be pointed at in vain. */
async function markWithoutObject(live: Client, { staged, target }: Staged, objects: ReadonlySet<string> | null): Promise<void> {
  const points = target.shape.columns.filter(({ name, type }) => target.held.includes(name) && /^(?:oid|(?:.*\.)?lo)$/.test(type));
  for (const { name } of points) {
    const column = quote(name);
    // A number may be that of something else, for example of a table.
    const made = objects === null ? "true" : `s.${column}::oid::text = ANY ($1::text[])`;
    const known = ["pg_largeobject_metadata", "pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_roles"];
    const unknown = known.map((catalogue) => `NOT EXISTS (SELECT FROM ${catalogue} o WHERE o.oid = s.${column}::oid)`).join(" AND ");
    const unchanged = `s.${OP} = 'update' AND EXISTS (SELECT FROM ${target.shape.source} t WHERE t.tableoid = s.${PLACE.table} AND t.ctid = s.${PLACE.row} AND t.${column} = s.${column})`;
    await live.query(
      `UPDATE ${staged} s SET ${REASON} = 'missing parent', ${DETAIL} = ${literal(`${name}: there is no large object `)} || s.${column}::text || ' in the live database: what it held is in the export and the quarantine'
        WHERE s.${REASON} IS NULL AND s.${OP} <> 'delete' AND s.${column}::oid <> 0 AND ${made} AND ${unknown} AND NOT (${unchanged})`,
      objects === null ? [] : [[...objects]],
    );
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
