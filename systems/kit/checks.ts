/** Checks that several of the systems have, told what is each system's own. */
import type { Client } from "pg";
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { askingCheck, check, failed, passed, skipped, writingCheck } from "../../rollout/verification/outcome.ts";
import { AnswerError, burstInWords, type Burst } from "./client.ts";

/** Each path answers `healthy`, the first one with the version that is declared. */
export function healthCheck(id: string, title: string, service: string, paths = ["/health"]): CheckDefinition {
  return askingCheck(id, title, async (context) => {
    const seen: string[] = [];
    for (const [index, path] of paths.entries()) {
      const response = await context.fetch(`${context.url(service)}${path}`);
      const text = (await response.text()).trim();
      const { status, version } = response.status === 200 ? (JSON.parse(text) as { status?: string; version?: string }) : {};
      if (status !== "healthy") return failed(`${path} answered ${response.status} ${text.slice(0, 160)}`);
      const declared = context.releases[service] ?? "none";
      if (index === 0 && version !== declared) return failed(`${path} answers with version ${version ?? "none"}, declared is ${declared}`);
      seen.push(`${path} ${text}`);
    }
    return passed(seen.join("; "));
  });
}

/** @param login throws where no token is given */
export function loginCheck(id: string, title: string, login: (context: CheckContext) => Promise<string>, user: string): CheckDefinition {
  return askingCheck(id, title, async (context) => {
    await login(context);
    return passed(`${user} was given a token`);
  });
}

/** @param judge the limit that was missed, in words; null: none */
export function loadCheck(
  id: string,
  title: string,
  take: (context: CheckContext) => Promise<Burst>,
  judge: (load: Burst & { errorShare: number; beforeMs: number | null }) => string | null,
): CheckDefinition {
  return check(id, title, async (context) => {
    const taken = await take(context);
    const { requests, errors, medianMs } = taken;
    const beforeMs = context.baseline?.latencyMs ?? null;
    const limit = judge({ ...taken, errorShare: errors / requests, beforeMs });
    const detail = burstInWords(taken, beforeMs);
    const figures = { requests, errors, medianMs };
    return limit === null ? passed(detail, figures) : failed(`${detail}; the limit is ${limit}`, figures);
  });
}

export interface TestWrite {
  database: string;
  /** What is written, by the name users know it by. */
  name: string;
  /** The user's request, as what it is called in the answer's errors. */
  request: string;
  send: (context: CheckContext) => Promise<Response>;
  /** A query that finds the row, with its values. */
  find: [string, unknown[]];
  /** What the row must have, by column. @default anything */
  holds?: Record<string, unknown>;
  /** Removes the row with everything it caused; one of that name that somebody else wrote stays. */
  remove: (database: Client) => Promise<unknown>;
}

/** What a user writes is found in the database, and removed. */
export function writeCheck(id: string, title: string, { database: of, name, ...own }: TestWrite): CheckDefinition {
  return writingCheck(id, title, async (context) => {
    if (context.maintenance.mode !== "off") return skipped(`the system is declared ${context.maintenance.mode}: users cannot write`);
    const database = await context.database(of);
    await own.remove(database);
    try {
      const response = await own.send(context);
      const text = await response.text();
      if (response.status === 409) return failed(`a record ${name} exists that no verification wrote; rename it`);
      if (response.status !== 200) throw new AnswerError(own.request, response.status, text);
      const { rows } = await database.query<Record<string, unknown>>(...own.find);
      const [row] = rows;
      if (row === undefined || rows.length > 1) return failed("the write was acknowledged, but its row was not found");
      if (Object.entries(own.holds ?? {}).some(([column, value]) => row[column] !== value))
        return failed(`the write was acknowledged, but the database has ${JSON.stringify(row)}`);
    } finally {
      await own.remove(database);
    }
    return passed(`${name} written, found and removed`);
  });
}

/** What `make` gives for a context, made once for all checks of a run. */
export function oncePerRun<T>(make: (context: CheckContext) => Promise<T>): (context: CheckContext) => Promise<T> {
  const made = new WeakMap<CheckContext, Promise<T>>();
  return (context) => {
    const known = made.get(context) ?? make(context);
    made.set(context, known);
    return known;
  };
}
