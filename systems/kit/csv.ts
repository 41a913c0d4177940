/** Comma-separated values: cells in quotes may hold commas, quotes (doubled) and line breaks. By hand: csv-parse would save nine lines and weighs 1.7 MB. */
export class CsvError extends Error {
  /** Counted from 1, the heading included. */
  readonly line: number;
  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.name = "CsvError";
    this.line = line;
  }
}

/** Rows as objects by the names of the first line; empty lines are left out. @throws CsvError */
export function parseCsv(text: string, columns: readonly string[]): Record<string, string>[] {
  const [heading, ...rows] = cells(text);
  const missing = columns.filter((column) => !(heading?.cells ?? []).includes(column));
  if (heading === undefined || missing.length > 0) throw new CsvError(1, `the heading lacks ${missing.join(", ")}`);
  return rows.map(({ cells: values, line }) => {
    if (values.length !== heading.cells.length)
      throw new CsvError(line, `has ${values.length} cells, the heading has ${heading.cells.length}`);
    return Object.fromEntries(heading.cells.map((name, index) => [name, values[index]!]));
  });
}

function cells(text: string): { line: number; cells: string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let line = 1;
  for (const row of text.match(/(?:"(?:[^"]|"")*"|[^"\n])+|\n/g) ?? []) {
    if (row === "\n") {
      line += 1;
      continue;
    }
    const found = [...row.trim().matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
    );
    if (row.trim() !== "") rows.push({ line, cells: found });
    line += row.split("\n").length - 1;
  }
  return rows;
}
