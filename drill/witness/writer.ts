/** Writers and the reader of one witness process. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "./client.ts";
import type { WitnessConfig } from "./config.ts";
import type { Journal } from "./journal.ts";
import type { Memory, Version } from "./memory.ts";
import type { Operation } from "./script.ts";

/** Share of each kind of write, per cent; the rest deletes. */
const INSERTS = 60;
const UPDATES = 25;

/** What the witness counted, for its summary. */
export interface Tally {
  acknowledged: Record<Operation, number>;
  refused: number;
  inDoubt: number;
  gone: number;
  signIns: number;
  reads: { ok: number; failed: number };
}

/** Everything the writers share. `nextId` and `nextSeq` never repeat within a journal. */
export interface Shift {
  config: WitnessConfig;
  client: Client;
  journal: Journal;
  run: string;
  stopping: AbortSignal;
  tally: Tally;
  nextSeq(): number;
  nextId(): string;
}

export function newTally(): Tally {
  return { acknowledged: { insert: 0, update: 0, delete: 0 }, refused: 0, inDoubt: 0, gone: 0, signIns: 0, reads: { ok: 0, failed: 0 } };
}

function chooseOperation(ownRows: number, dice: number): Operation {
  if (ownRows === 0 || dice < INSERTS) return "insert";
  return dice < INSERTS + UPDATES ? "update" : "delete";
}

/** Rows that can be written again after a restart: acknowledged, not deleted, nothing in doubt. */
export function ownRows(memory: Memory): string[] {
  const settled = (versions: Version[]): boolean => versions.every((version) => version.ackAt !== null) && versions.at(-1)?.value !== null;
  return [...memory.rows].filter(([, versions]) => settled(versions)).map(([id]) => id);
}

/** Highest number used in `W-<run>-<n>`. */
export function highestId(memory: Memory): number {
  let highest = 0;
  for (const id of memory.rows.keys()) highest = Math.max(highest, Number(id.slice(id.lastIndexOf("-") + 1)) || 0);
  return highest;
}

async function pause(milliseconds: number, stopping: AbortSignal): Promise<void> {
  // Without a pause at all, a writer whose connection is refused at once would starve the others.
  await sleep(milliseconds, undefined, { signal: stopping }).catch(() => undefined);
}

/** Writes until told to stop. `rows` are this writer's own and nobody else's. */
export async function writeAllTheTime(shift: Shift, rows: string[]): Promise<void> {
  const { client, config, stopping } = shift;
  let trouble = false;
  while (!stopping.aborted) {
    if (!client.signedIn && (await client.signIn()).verdict !== "ack") {
      await pause(Math.max(config.intervalMs, 20), stopping);
      continue;
    }
    // While the system does not answer, only new rows are risked: the older ones stay free of doubt and can be judged exactly.
    const operation = trouble ? "insert" : chooseOperation(rows.length, randomInt(100));
    const verdict = await writeOnce(shift, rows, operation);
    trouble = verdict !== "ack" && verdict !== "gone";
    await pause(config.intervalMs, stopping);
  }
}

async function writeOnce(shift: Shift, rows: string[], operation: Operation): Promise<string> {
  const { client, journal, tally } = shift;
  const index = operation === "insert" ? -1 : randomInt(rows.length);
  const id = rows[index] ?? shift.nextId();
  const seq = shift.nextSeq();
  const value = operation === "delete" ? null : `value ${shift.run} ${seq}`;
  journal.append({ type: "intent", seq, op: operation, id, value });
  const { verdict, status, error } = await client.write(operation, id, value);
  if (verdict === "ack") {
    journal.append({ type: "ack", seq, status });
    tally.acknowledged[operation] += 1;
    if (operation === "insert") rows.push(id);
    if (operation === "delete") rows.splice(index, 1);
    return verdict;
  }
  const outcome = verdict === "doubt" ? "doubt" : "refused";
  journal.append({ type: "no", seq, outcome, status, ...(error === undefined ? {} : { error }) });
  if (verdict === "doubt") tally.inDoubt += 1;
  else if (verdict === "gone") tally.gone += 1;
  else tally.refused += 1;
  // A row in doubt, or gone with a restore, is left alone from now on.
  if (index >= 0 && (verdict === "doubt" || verdict === "gone")) rows.splice(index, 1);
  return verdict;
}

/** Samples reads until told to stop. */
export async function readAllTheTime(shift: Shift, sample: () => string | undefined): Promise<void> {
  const { client, config, journal, stopping, tally } = shift;
  while (!stopping.aborted) {
    const id = sample();
    if (client.signedIn && id !== undefined) {
      const seen = await client.read(id);
      journal.append({ type: "read", ...seen });
      tally.reads[seen.ok ? "ok" : "failed"] += 1;
    }
    await pause(config.readIntervalMs, stopping);
  }
}
