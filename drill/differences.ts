/** Which rows two databases have differently, counted with the drill's own simple SQL: the other opinion on exports and rows at risk. */
import pg from "pg";

export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
}

interface Row {
  key: string;
  content: string;
}

const COLUMNS = `
  SELECT a.attname AS name, coalesce(a.attnum = ANY (i.indkey::int2[]), false) AS key
  FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname`;

const FETCH = 5000;

/** Per table of `tables` that is in either database; only columns of both count. Sessions must not be in a transaction. */
export async function countDifferences(base: pg.Client, current: pg.Client, tables: readonly string[]): Promise<Record<string, Counts>> {
  const counts: Record<string, Counts> = {};
  for (const table of tables) {
    const name = table
      .split(".")
      .map((part) => pg.escapeIdentifier(part))
      .join(".");
    const before = await columnsOf(base, name);
    const after = await columnsOf(current, name);
    if (before.length + after.length === 0) continue;
    const common =
      before.length === 0
        ? after
        : after.length === 0
          ? before
          : after.filter((column) => before.some((other) => other.name === column.name));
    counts[table] = await countMerged(
      before.length === 0 ? nothing() : rowsOf(base, name, common),
      after.length === 0 ? nothing() : rowsOf(current, name, common),
    );
  }
  return counts;
}

async function columnsOf(client: pg.Client, table: string): Promise<{ name: string; key: boolean }[]> {
  return (await client.query<{ name: string; key: boolean }>(COLUMNS, [table])).rows;
}

/** Rows in the order of their key's hash, a part at a time; without a key the whole row is its key. */
async function* rowsOf(client: pg.Client, table: string, columns: { name: string; key: boolean }[]): AsyncGenerator<Row, undefined> {
  const list = (of: { name: string }[]): string => of.map(({ name }) => pg.escapeIdentifier(name)).join(", ");
  const keys = columns.filter(({ key }) => key);
  const content = `md5(ROW(${list(columns)})::text)`;
  const key = keys.length === 0 ? content : `md5(ROW(${list(keys)})::text)`;
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
