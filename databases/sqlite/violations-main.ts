/** Runs a check's SQL file: `violations-main.ts <file>`, the query as JSON on standard input, the answer as JSON on standard output. */
import { text } from "node:stream/consumers";
import { splitStatements } from "../shared/migrations/statements.ts";
import { withFile } from "./database.ts";

export type ViolationAnswer =
  | { rows: Record<string, unknown>[] }
  /** Line of the statement that failed, from 1; null: the file could not be opened, or the script ended its transaction. */
  | { message: string; line: number | null };

const { script, writes, limit } = JSON.parse(await text(process.stdin)) as { script: string; writes: boolean; limit: number };

function run(file: string): ViolationAnswer {
  return withFile(file, { readOnly: !writes }, (database) => {
    const rows: Record<string, unknown>[] = [];
    if (writes) database.exec("BEGIN IMMEDIATE");
    for (const { text: statement, line } of splitStatements(script)) {
      try {
        const prepared = database.prepare(statement);
        prepared.setReadBigInts(true);
        for (const row of prepared.iterate()) {
          if (rows.length >= limit) break;
          rows.push(row);
        }
      } catch (error) {
        return { message: (error as Error).message, line };
      }
    }
    if (writes && !database.isTransaction)
      return { message: "the script ended its transaction, so what it wrote until then stays: remove its COMMIT", line: null };
    if (writes) database.exec("ROLLBACK");
    return { rows };
  });
}

/** JSON has neither large integers nor bytes. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? `${value.length} bytes` : value;
}

let answer: ViolationAnswer;
try {
  answer = run(process.argv[2]!);
} catch (error) {
  answer = { message: (error as Error).message, line: null };
}
process.stdout.write(JSON.stringify(answer, plain));
