/** What a comparison or an export leaves out: it is named, never passed over in silence. */

/** Something whose content is not compared and not exported. */
export interface NotCompared {
  name: string;
  /** `foreign table`, `large objects`, `virtual table`, … */
  kind: string;
  /** In words: why, and where its content is. */
  why: string;
  /** Content that exists nowhere else was or may have been written since: a restore takes it away. */
  mayBeLost: boolean;
  /** It is compared all the same: only the export does not hold it. */
  compared?: true;
}

/** Large objects as a table: a row per 64 KB of each object, an empty one has one row, too. */
export const LARGE_OBJECTS = "pg_catalog.pg_largeobject";

/** A row is exported whole up to so many bytes of text: what it is now, what it was, and JSON's escapes then fit into one string. */
export const ROW_BYTES = 40 * 1024 * 1024;

/** Of a row that is longer, values of more bytes than this are left out. */
export const VALUE_BYTES = 100_000;

/** Values that are too large to be exported. @param tables what a comparison found, rows by column */
export function tooLargeIn(tables: readonly (readonly [table: string, found: { tooLarge?: Record<string, number> }])[]): NotCompared[] {
  return tables.flatMap(([table, { tooLarge = {} }]) =>
    Object.entries(tooLarge).map(([column, rows]) => ({
      name: `${table}, column ${column}`,
      kind: "values of",
      compared: true,
      why: `${rows} of the rows written since ${rows === 1 ? "is" : "are"} longer than ${ROW_BYTES / 1024 / 1024} MiB as text: the rest of them is exported, this value stays in what is set aside`,
      mayBeLost: true,
    })),
  );
}
