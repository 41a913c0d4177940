/** Checks that a definition may take as they are, told what is its own. */
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { countIsRight, countingInWords } from "../../config/system/counting.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";
import { check, failed, passed, skipped, writingCheck } from "./outcome.ts";

const LINES = 100;
/** A crash as runtimes write it, or a structured line of that level; the bare word "error" is in many lines that report none. */
const CRITICAL = /\b(?:fatal|panic|uncaught|unhandled|out of memory)\b|^Traceback |\blevel["=: ]+(?:error|fatal|critical)\b/i;

export interface LogCheck {
  id?: string;
  title?: string;
  /** Services of which an error log is read while they are declared to run. */
  services: readonly string[];
  isCritical?: (line: string) => boolean;
}

/** The error logs, of the lines that were written since each service was started. */
export function logCheck({ services, isCritical = (line) => CRITICAL.test(line), ...named }: LogCheck): CheckDefinition {
  const { id = "error-log", title = `The last ${LINES} lines of each error log report no error` } = named;
  return check(id, title, async (context) => {
    const read = services.filter((service) => context.running[service] !== false);
    for (const service of read) {
      const critical = (await context.errorLog(service, LINES)).filter(isCritical);
      if (critical.length > 0)
        return failed(
          `${service}: ${critical.length} of the last ${LINES} lines report errors, the last one: ${critical.at(-1)!.slice(0, 200)}`,
        );
    }
    return passed(`no errors since ${read.join(", ") || "no service"} started`);
  });
}

export interface CountCheck {
  id?: string;
  title: string;
  database: string;
  engine?: SqlSession["engine"];
  tables: readonly string[];
  /** Removes what an interrupted check may have left, before anything is counted. */
  first?: (context: CheckContext) => Promise<unknown>;
}

/** Rows per table, as many as the baseline has. */
export function countCheck({ id = "count", title, database, engine = "postgres", tables, first }: CountCheck): CheckDefinition {
  const counts = async (context: CheckContext) => {
    await first?.(context);
    const { baseline } = context;
    if (baseline === null) return skipped("nothing was counted before");
    const known = tables.filter((table) => baseline.counts[table] !== undefined);
    if (known.length === 0) return skipped(`none of ${tables.join(", ")} was counted before`);
    const now = await countAll(context, database, engine, known);
    const wrong = known.find((table) => now[table] === undefined || !countIsRight(context, now[table], baseline.counts[table]!));
    const restored = context.dataRestored ? " (data restored)" : "";
    if (wrong !== undefined)
      return failed(
        `${wrong} has ${now[wrong] ?? "no"} rows, counted ${baseline.at} at ${baseline.release}: ${baseline.counts[wrong]}${restored}`,
      );
    return passed(known.map((table) => `${table} ${now[table]} (before: ${baseline.counts[table]})`).join(", ") + countingInWords(context));
  };
  return (first === undefined ? check : writingCheck)(id, title, counts);
}

/** The declared flags, as they are stored. @param sql rows of `name` and `enabled` */
export function flagsCheck({ database, sql }: { database: string; sql: string }): CheckDefinition {
  return check("flags-as-declared", "Feature flags are as declared", async (context) => {
    const declared = Object.entries(context.flags);
    if (declared.length === 0) return skipped("no flag is declared");
    const { rows } = await (await context.database(database)).query<{ name: string; enabled: boolean }>(sql);
    const found = new Map(rows.map(({ name, enabled }) => [name, enabled]));
    const wrong = declared.filter(([name, enabled]) => found.get(name) !== enabled);
    if (wrong.length > 0)
      return failed(wrong.map(([name, enabled]) => `${name} is ${found.get(name) ?? "missing"}, declared is ${enabled}`).join("; "));
    return passed(declared.map(([name, enabled]) => `${name} ${enabled ? "on" : "off"}`).join(", "));
  });
}

export async function countAll(
  context: CheckContext,
  database: string,
  engine: SqlSession["engine"],
  tables: readonly string[],
): Promise<Record<string, number>> {
  const { countTables } = await import("../../databases/tables.ts");
  const { sessionOf } = await import("../../databases/open-data.ts");
  return countTables(await sessionOf(context, database, engine), tables);
}
