/**
 * The witness's memory: one JSON object per line, written before a request is sent and again when it is answered. A line has left the process
 * when `append` returns, so a killed witness forgets nothing; the disk is synchronised at most 50 ms later.
 */
import { closeSync, fstatSync, fsync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import type { Operation } from "./script.ts";

/** Both clocks of one instant: `mono` runs evenly (milliseconds since boot), `wall` can be compared with other processes' records. */
export interface Instant {
  mono: number;
  wall: number;
}

export type Entry = Instant &
  (
    | { type: "start"; run: string; table: string; key: string; value: string; pid: number }
    | { type: "intent"; seq: number; op: Operation; id: string; value: string | null }
    /** 2xx: the system has promised to keep it. */
    | { type: "ack"; seq: number; status: number }
    /** `refused`: certainly not done. `doubt`: may have been done. */
    | { type: "no"; seq: number; outcome: "refused" | "doubt"; status: number; error?: string }
    | { type: "read"; ok: boolean; status: number; error?: string }
    | { type: "login"; ok: boolean; status: number; error?: string }
    | { type: "stop"; reason: string }
  );

type WithoutInstant<T> = T extends unknown ? Omit<T, keyof Instant> : never;
export type NewEntry = WithoutInstant<Entry>;

function now(): Instant {
  return { mono: Number(process.hrtime.bigint()) / 1e6, wall: Date.now() };
}

const SYNC_WITHIN_MS = 50;

export class Journal {
  readonly file: string;
  #descriptor: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: string) {
    this.file = file;
    this.#descriptor = openSync(file, "a+", 0o600);
    this.#finishTornLine();
  }

  append(entry: NewEntry): Instant {
    const at = now();
    writeAll(this.#descriptor, `${JSON.stringify({ ...entry, ...at })}\n`);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      fsync(this.#descriptor, () => undefined);
    }, SYNC_WITHIN_MS);
    return at;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }

  // A witness killed in the middle of a line leaves half of it: the next line must not be glued to it.
  #finishTornLine(): void {
    const size = fstatSync(this.#descriptor).size;
    if (size === 0) return;
    const last = Buffer.alloc(1);
    readSync(this.#descriptor, last, 0, 1, size - 1);
    if (last.toString() !== "\n") writeSync(this.#descriptor, "\n");
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
}
