/** What a journal says: per row, every version that was asked for, in order; and when the system acknowledged, refused or was silent. */
import type { Entry, Instant } from "./journal.ts";
import { linesOf } from "./lines.ts";
import type { Operation } from "./script.ts";

/** One write of one row. Writes of a row never overlap: a writer waits for the answer, and gives up a row whose write is in doubt. */
export interface Version {
  seq: number;
  op: Operation;
  /** Content after the write; null: the row is deleted. */
  value: string | null;
  /** Monotonic milliseconds. */
  intentAt: number;
  /** Monotonic milliseconds; null: no answer, or none that settles it. */
  ackAt: number | null;
  /** Wall clock of the acknowledgement, or of the intent where there is none; milliseconds. */
  wall: number;
}

/** One answered write, for the availability of the system. */
export interface Answer extends Instant {
  /** Monotonic milliseconds at which the request was sent. */
  sent: number;
  kind: "ok" | "refused503" | "failed";
}

export interface ReadSample extends Instant {
  ok: boolean;
}

/** A time in which the witness itself was not there, monotonic milliseconds. */
export interface Absence {
  from: number;
  to: number;
}

export interface Memory {
  run: string;
  table: string;
  key: string;
  value: string;
  /** By row id. Writes that were certainly refused are left out. */
  rows: Map<string, Version[]>;
  /** In the order of the answers. */
  answers: Answer[];
  reads: ReadSample[];
  absences: Absence[];
  first: Instant | null;
  last: Instant | null;
  /** Lines that could not be read (a torn last line after a kill). */
  unreadable: number;
  highestSeq: number;
}

export class JournalError extends Error {
  readonly file: string;
  readonly problem: string;
  constructor(file: string, problem: string) {
    super(`witness journal ${file}: ${problem}`);
    this.file = file;
    this.problem = problem;
    this.name = "JournalError";
  }
}

/** @throws JournalError when there is no journal or it does not begin with a start entry. */
export async function readMemory(file: string): Promise<Memory> {
  const memory = new MemoryReader();
  try {
    for await (const line of linesOf(file)) memory.line(line);
  } catch (error) {
    throw new JournalError(file, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  if (memory.result.run === "")
    throw new JournalError(file, "holds no start entry; it is not a witness's journal or the witness never started");
  return memory.result;
}

class MemoryReader {
  readonly result: Memory = {
    run: "",
    table: "",
    key: "",
    value: "",
    rows: new Map(),
    answers: [],
    reads: [],
    absences: [],
    first: null,
    last: null,
    unreadable: 0,
    highestSeq: 0,
  };
  readonly #open = new Map<number, { id: string; version: Version }>();
  // After a reboot the even clock starts again from zero: later entries are moved behind the earlier ones.
  #shift = 0;

  line(line: string): void {
    if (line === "") return;
    let entry: Entry;
    try {
      entry = JSON.parse(line) as Entry;
      if (typeof entry.mono !== "number" || typeof entry.wall !== "number") throw new Error("no instant");
    } catch {
      this.result.unreadable += 1;
      return;
    }
    this.#take(entry);
  }

  #take(entry: Entry): void {
    const { result } = this;
    if (entry.type === "start") this.#start(entry);
    const mono = entry.mono + this.#shift;
    const at = { mono, wall: entry.wall };
    result.first ??= at;
    result.last = at;
    switch (entry.type) {
      case "intent": {
        const version = { seq: entry.seq, op: entry.op, value: entry.value, intentAt: mono, ackAt: null, wall: entry.wall };
        this.#open.set(entry.seq, { id: entry.id, version });
        result.highestSeq = Math.max(result.highestSeq, entry.seq);
        const versions = result.rows.get(entry.id);
        if (versions === undefined) result.rows.set(entry.id, [version]);
        else versions.push(version);
        break;
      }
      case "ack":
      case "no":
        this.#answer(entry, at);
        break;
      case "read":
        result.reads.push({ ...at, ok: entry.ok });
        break;
      default:
    }
  }

  #start(entry: Entry & { type: "start" }): void {
    const { result } = this;
    if (result.last !== null) {
      const after = result.last.mono + Math.max(0, entry.wall - result.last.wall);
      if (entry.mono + this.#shift < result.last.mono) this.#shift = after - entry.mono;
      result.absences.push({ from: result.last.mono, to: entry.mono + this.#shift });
    }
    Object.assign(result, { run: entry.run, table: entry.table, key: entry.key, value: entry.value });
  }

  #answer(entry: Entry & { type: "ack" | "no" }, at: Instant): void {
    const open = this.#open.get(entry.seq);
    if (open === undefined) return;
    this.#open.delete(entry.seq);
    const kind = entry.type === "ack" ? "ok" : entry.status === 503 ? "refused503" : "failed";
    this.result.answers.push({ ...at, sent: open.version.intentAt, kind });
    if (entry.type === "ack") {
      open.version.ackAt = at.mono;
      open.version.wall = at.wall;
    } else if (entry.outcome === "refused") {
      const versions = this.result.rows.get(open.id) ?? [];
      versions.splice(versions.indexOf(open.version), 1);
      if (versions.length === 0) this.result.rows.delete(open.id);
    }
  }
}
