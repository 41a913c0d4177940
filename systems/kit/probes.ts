/** How a drill sees that a fault shows. */
import type { DrillContext } from "../../config/system/drill.ts";
import type { Access, Burst } from "./client.ts";
import { accessOf } from "./fault-switch.ts";

type Probe = (context: DrillContext) => Promise<string | null>;

/** Rows that there should not be. @param words with `#` for their number */
export const rowsProbe =
  (database: string, words: string, from: string, values: unknown[] = []): Probe =>
  async (context) => {
    const { rows } = await (await context.database(database)).query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${from}`, values);
    return rows[0]!.rows > 0 ? words.replace("#", String(rows[0]!.rows)) : null;
  };

/** @param take requests of a user */
export const slowProbe =
  (take: (access: Access) => Promise<Burst>, limitMs: number): Probe =>
  async (context) => {
    const { requests, medianMs } = await take(accessOf(context));
    return medianMs > limitMs ? `median of ${requests} requests is ${Math.round(medianMs)} ms: above ${limitMs} ms` : null;
  };
