/** Rows that differ between two databases, counted with the drill's own simple SQL: a second opinion on exports and rows at risk. */
import pg from "pg";
import { canonicalTable } from "../databases/shared/identifiers.ts";

export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
}

interface Row {
  key: string;
  content: string;
}

interface Column {
  name: string;
  key: boolean;
  /** What a row has in it that nobody gave a value, as an SQL expression of type text. */
  usual: string;
}

const COLUMNS = `
  SELECT a.attname AS name, coalesce(a.attnum = ANY (i.indkey::int2[]), false) AS key,
    coalesce(quote_literal((a.attmissingval::text::text[])[1]), '(' || substring(pg_get_expr(d.adbin, d.adrelid) FROM '^(''[^'']*''|[0-9.]+|true|false)') || ')::text', 'NULL') AS usual
  FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname`;

/** Migration ledgers belong to releases, not to users. */
const TABLES = `
  SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'supabase_migrations')
    AND c.relname <> '_prisma_migrations' ORDER BY 1`;

const FETCH = 5000;

/**
 * Per table of either database. Columns of both count, and of a column that came since what was filled into it. Sessions must not be in a
 * transaction.
 */
export async function countDifferences(base: pg.Client, current: pg.Client): Promise<Record<string, Counts>> {
  const counts: Record<string, Counts> = {};
  const names = await Promise.all([base, current].map(async (client) => (await client.query<{ name: string }>(TABLES)).rows));
  for (const name of new Set(names.flat().map((row) => row.name))) {
    const before = await columnsOf(base, name);
    const after = await columnsOf(current, name);
    const has = (columns: Column[], wanted: string): boolean => columns.some((column) => column.name === wanted);
    const common = before.length === 0 ? after : after.length === 0 ? before : after.filter((column) => has(before, column.name));
    const added = after.length === 0 || before.length === 0 ? [] : after.filter((column) => !has(before, column.name));
    counts[canonicalTable(name)] = await countMerged(
      before.length === 0
        ? nothing()
        : rowsOf(
            base,
            name,
            common,
            added.map(() => "NULL"),
          ),
      after.length === 0
        ? nothing()
        : rowsOf(
            current,
            name,
            common,
            added.map((column) => `nullif(${pg.escapeIdentifier(column.name)}::text, ${column.usual})`),
          ),
    );
  }
  return counts;
}

async function columnsOf(client: pg.Client, table: string): Promise<Column[]> {
  return (await client.query<Column>(COLUMNS, [table])).rows;
}

/** Rows in the order of their key's hash, a part at a time; without a key the whole row is its key. */
async function* rowsOf(client: pg.Client, table: string, columns: Column[], added: string[]): AsyncGenerator<Row, undefined> {
  const list = (of: Column[], more: string[] = []): string => [...of.map(({ name }) => pg.escapeIdentifier(name)), ...more].join(", ");
  const keys = columns.filter(({ key }) => key);
  const content = `md5(ROW(${list(columns, added)})::text)`;
  const key = keys.length === 0 ? `md5(ROW(${list(columns)})::text)` : `md5(ROW(${list(keys)})::text)`;
  await client.query("BEGIN READ ONLY");
  try {
    await client.query(`DECLARE looking CURSOR FOR SELECT ${key} COLLATE "C" AS key, ${content} AS content FROM ${table} ORDER BY 1`);
    for (;;) {
      const { rows } = await client.query<Row>(`FETCH ${FETCH} FROM looking`);
      if (rows.length === 0) return;
      yield* rows;
    }
  } finally {
    await client.query("ROLLBACK");
  }
}

async function* nothing(): AsyncGenerator<Row, undefined> {}

export async function countMerged(base: AsyncIterator<Row, undefined>, current: AsyncIterator<Row, undefined>): Promise<Counts> {
  const counts: Counts = { inserted: 0, updated: 0, deleted: 0 };
  const next = async (rows: AsyncIterator<Row, undefined>): Promise<Row | null> => {
    const result = await rows.next();
    return result.done === true ? null : result.value;
  };
  let [before, after] = [await next(base), await next(current)];
  while (before !== null || after !== null) {
    if (before === null || (after !== null && after.key < before.key)) {
      counts.inserted += 1;
      after = await next(current);
    } else if (after === null || before.key < after.key) {
      counts.deleted += 1;
      before = await next(base);
    } else {
      if (before.content !== after.content) counts.updated += 1;
      [before, after] = [await next(base), await next(current)];
    }
  }
  return counts;
}

export function total(counts: Record<string, Counts>): number {
  return Object.values(counts).reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
}
