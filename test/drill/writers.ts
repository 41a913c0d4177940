/** Several writers at once against a system whose every step is known: answers cross each other and the gate, as they do under load. */
import fc from "fast-check";
import type { Exported } from "../../drill/witness/content.ts";
import type { Memory, Version } from "../../drill/witness/memory.ts";
import type { Operation } from "../../drill/witness/script.ts";

export type Database = Map<string, string>;

/** One write of one writer; all times in milliseconds. */
export interface Step {
  op: Operation;
  /** Chooses one of the writer's rows. */
  row: number;
  pause: number;
  toService: number;
  inService: number;
  toWitness: number;
  /** `lost`: done, but the answer never comes. */
  answer: "given" | "lost";
}

export const steps = fc.array(
  fc.record({
    op: fc.constantFrom<Operation>("insert", "insert", "update", "update", "delete"),
    row: fc.nat(20),
    pause: fc.nat(4),
    toService: fc.nat(3),
    inService: fc.nat(8),
    toWitness: fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(15) }),
    answer: fc.constantFrom("given" as const, "given" as const, "given" as const, "given" as const, "given" as const, "lost" as const),
  }),
  { minLength: 4, maxLength: 20 },
);

export function emptyMemory(): Memory {
  const instant = { mono: 0, wall: 1_700_000_000_000 };
  return {
    run: "r",
    table: "notes",
    key: "id",
    value: "body",
    rows: new Map(),
    answers: [],
    reads: [],
    absences: [],
    first: instant,
    last: instant,
    unreadable: 0,
    highestSeq: 0,
  };
}

interface Writer {
  rows: string[];
  trouble: boolean;
}

/** Writers knock at the closed gate for so long, and the gate stays closed for so long: nothing is under way any more when it opens. */
const KNOCKING_MS = 15;
const OUTAGE_MS = 45;

export class System {
  readonly memory = emptyMemory();
  live: Database = new Map();
  #closed = false;
  #lastStart = 0;
  #clock = 0;
  #numbers = 0;
  #seqs = 0;
  #order = 0;
  #events: { at: number; order: number; happens: () => void }[] = [];
  readonly #writers: Writer[];

  constructor(writers: number) {
    this.#writers = Array.from({ length: writers }, () => ({ rows: [], trouble: false }));
  }

  /** The writers take their steps; the gate closes after `cutAfter` milliseconds, and `then` happens behind it. */
  serve(plans: readonly Step[][], cutAfter: number, during: { at: number; happens: () => void } | null, then: () => void): void {
    this.#closed = false;
    this.#lastStart = this.#clock + cutAfter + KNOCKING_MS;
    for (const [index, plan] of plans.entries()) this.#go(index, plan, 0);
    if (during !== null) this.#after(during.at, during.happens);
    this.#after(cutAfter, () => (this.#closed = true));
    this.#after(cutAfter + OUTAGE_MS, () => {
      then();
      for (const writer of this.#writers) writer.trouble = false;
    });
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#clock = next.at;
      next.happens();
    }
    this.#clock += 1;
  }

  #next(): { at: number; happens: () => void } | undefined {
    this.#events.sort((a, b) => a.at - b.at || a.order - b.order);
    return this.#events.shift();
  }

  #after(milliseconds: number, happens: () => void): void {
    this.#order += 1;
    // No two records of a journal have the same instant.
    this.#events.push({ at: this.#clock + milliseconds + this.#order * 1e-4, order: this.#order, happens });
  }

  #go(index: number, plan: readonly Step[], step: number): void {
    const current = plan[step];
    const writer = this.#writers[index];
    if (current === undefined || writer === undefined) return;
    this.#after(current.pause, () => {
      if (this.#clock < this.#lastStart) this.#write(writer, current, () => this.#go(index, plan, step + 1));
    });
  }

  #write(writer: Writer, step: Step, next: () => void): void {
    const op = writer.trouble || writer.rows.length === 0 ? "insert" : step.op;
    const id = op === "insert" ? `W-r-${++this.#numbers}` : (writer.rows[step.row % writer.rows.length] ?? "");
    const seq = ++this.#seqs;
    const version: Version = {
      seq,
      op,
      value: op === "delete" ? null : `v${seq}`,
      intentAt: this.#clock,
      ackAt: null,
      wall: this.#wall(),
    };
    this.memory.rows.set(id, [...(this.memory.rows.get(id) ?? []), version]);
    const forget = (): void => void (writer.rows = writer.rows.filter((row) => row !== id));
    const answered = (status: number): void => {
      writer.trouble = status === 503;
      this.#answer(id, version, status);
      if (status !== 200 || op === "delete") forget();
      else if (op === "insert") writer.rows.push(id);
      next();
    };
    this.#after(step.toService, () => {
      if (this.#closed) return this.#after(step.toWitness, () => answered(503));
      this.#after(step.inService, () => {
        const there = op === "insert" || this.live.has(id);
        if (there && version.value === null) this.live.delete(id);
        else if (there && version.value !== null) this.live.set(id, version.value);
        const lost = step.answer === "lost" && there;
        this.#after(step.toWitness, () => answered(lost ? 0 : there ? 200 : 404));
      });
    });
  }

  #answer(id: string, version: Version, status: number): void {
    const kind = status === 200 ? "ok" : status === 503 ? "refused503" : "failed";
    this.memory.answers.push({ mono: this.#clock, wall: this.#wall(), sent: version.intentAt, kind });
    this.memory.last = { mono: this.#clock, wall: this.#wall() };
    if (status === 200) version.ackAt = this.#clock;
    // The row is not there: certainly refused, and the memory does not keep it.
    if (status === 404)
      this.memory.rows.set(
        id,
        (this.memory.rows.get(id) ?? []).filter((other) => other !== version),
      );
  }

  #wall(): number {
    return (this.memory.first?.wall ?? 0) + Math.round(this.#clock);
  }
}

/** What an export must hold: every row that differs. */
export function difference(before: Database, after: Database): Exported[] {
  const inserted = [...after].filter(([id]) => !before.has(id)).map(([id, value]) => ({ op: "insert" as const, id, value }));
  const updated = [...after].filter(([id, value]) => (before.get(id) ?? value) !== value);
  const deleted = [...before.keys()].filter((id) => !after.has(id)).map((id) => ({ op: "delete" as const, id, value: null }));
  return [...inserted, ...updated.map(([id, value]) => ({ op: "update" as const, id, value })), ...deleted];
}
