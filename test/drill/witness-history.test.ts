/** The judge against histories made up in memory: what really happened is known, so the verdict is, too. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unavailability } from "../../drill/witness/availability.ts";
import { judgeFound, type Judgement } from "../../drill/witness/judge.ts";
import type { Exported } from "../../drill/witness/content.ts";
import type { Memory, Version } from "../../drill/witness/memory.ts";

type Database = Map<string, string>;

function emptyMemory(): Memory {
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

/** A system whose every step is known. One writer for each of its rows, answers 0 to 3 ms after the request. */
class History {
  readonly memory = emptyMemory();
  live: Database = new Map();
  clock = 0;
  #seq = 0;

  write(row: number, op: "insert" | "update" | "delete", answer: "ack" | "done" | "dropped", latency: number): void {
    const id = `W-r-${row}`;
    const versions = this.memory.rows.get(id) ?? [];
    const last = versions.at(-1);
    if (last?.ackAt === null) return;
    if (op === "insert" ? versions.length > 0 : !this.live.has(id)) return;
    this.#seq += 1;
    const version: Version = {
      seq: this.#seq,
      op,
      value: op === "delete" ? null : `v${this.#seq}`,
      intentAt: this.clock,
      ackAt: null,
      wall: this.#wall(),
    };
    this.memory.rows.set(id, [...versions, version]);
    this.clock += latency;
    if (answer !== "dropped") {
      if (version.value === null) this.live.delete(id);
      else this.live.set(id, version.value);
    }
    this.clock += 0.5;
    if (answer === "ack") version.ackAt = this.clock;
    this.memory.answers.push({ mono: this.clock, wall: this.#wall(), sent: version.intentAt, kind: answer === "ack" ? "ok" : "failed" });
    this.clock += 0.5;
    this.memory.last = { mono: this.clock, wall: this.#wall() };
  }

  outage(): void {
    this.clock += 500;
  }

  #wall(): number {
    return (this.memory.first?.wall ?? 0) + Math.round(this.clock);
  }
}

const write = fc.record({
  row: fc.nat(30),
  op: fc.constantFrom("insert" as const, "insert" as const, "update" as const, "delete" as const),
  answer: fc.constantFrom("ack" as const, "ack" as const, "ack" as const, "ack" as const, "done" as const, "dropped" as const),
  latency: fc.nat(3),
});
const epoch = fc.array(write, { minLength: 1, maxLength: 40 });

function play(
  history: History,
  writes: { row: number; op: "insert" | "update" | "delete"; answer: "ack" | "done" | "dropped"; latency: number }[],
  shift = 0,
): void {
  for (const { row, op, answer, latency } of writes) history.write(row + shift, op, answer, latency);
}

function verdict(history: History, live: Database, quarantines: Database[], exported: Exported[] = []): Judgement {
  const found = (content: Database): { content: Database; repeated: string[]; exists: boolean } => ({
    content,
    repeated: [],
    exists: true,
  });
  return judgeFound(
    history.memory,
    { name: "live", found: found(live) },
    quarantines.map((content, index) => ({ name: `q${index}`, found: found(content) })),
    { exported, problems: [] },
  );
}

/** What a faultless export holds: every difference between snapshot and quarantine. */
function differences(snapshot: Database, quarantine: Database): Exported[] {
  const changes: Exported[] = [];
  for (const id of new Set([...snapshot.keys(), ...quarantine.keys()])) {
    const [before, after] = [snapshot.get(id), quarantine.get(id)];
    if (before !== after)
      changes.push({ id, op: after === undefined ? "delete" : before === undefined ? "insert" : "update", value: after ?? null });
  }
  return changes;
}

const findings = ({ lost, wrong, resurrected }: Judgement): number => lost.length + wrong.length + resurrected.length;

/** Deploy (snapshot in an outage or, `online`, in the middle of writing), restore, undo. */
function restored(
  before: Parameters<typeof play>[1],
  between: Parameters<typeof play>[1],
  after: Parameters<typeof play>[1],
  online: boolean,
) {
  const history = new History();
  play(history, before);
  if (!online) history.outage();
  const snapshot: Database = new Map(history.live);
  play(history, between, 10);
  history.outage();
  const quarantine = history.live;
  history.live = new Map(snapshot);
  play(history, after, 20);
  return { history, quarantine, snapshot };
}

describe("a faultless history is never accused", () => {
  test("without a restore", () => {
    fc.assert(
      fc.property(fc.array(epoch, { maxLength: 4 }), (epochs) => {
        const history = new History();
        for (const writes of epochs) {
          play(history, writes);
          history.outage();
        }
        expect(findings(verdict(history, history.live, []))).toBe(0);
      }),
    );
  });

  test("with a restore, whatever is in doubt, and with a snapshot taken while writing", () => {
    fc.assert(
      fc.property(epoch, epoch, epoch, fc.boolean(), (before, between, after, online) => {
        const { history, quarantine } = restored(before, between, after, online);
        const judgement = verdict(history, history.live, [quarantine]);
        expect(findings(judgement)).toBe(0);
        expect(judgement.accountedFor.nowhere).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("of an incomplete export, where it is complete", () => {
    fc.assert(
      fc.property(epoch, epoch, epoch, fc.boolean(), (before, between, after, online) => {
        const { history, quarantine, snapshot } = restored(before, between, after, online);
        const { exports } = verdict(history, history.live, [quarantine], differences(snapshot, quarantine));
        expect(exports.missing).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("with an undo, and writes after it", () => {
    fc.assert(
      fc.property(epoch, epoch, epoch, epoch, (before, between, after, again) => {
        const { history, quarantine } = restored(before, between, after, false);
        history.outage();
        const second = history.live;
        history.live = quarantine;
        play(history, again, 40);
        expect(findings(verdict(history, history.live, [second]))).toBe(0);
      }),
    );
  });
});

describe("a damaged history is always accused", () => {
  /** Rows of which everything is certain and that exist in only one of the databases. */
  const certain = (history: History, database: Database, other: Database): string[] =>
    [...database.keys()].filter(
      (id) => !other.has(id) && history.memory.rows.get(id)?.every((version) => version.ackAt !== null && version.value !== null),
    );

  test.each(["live", "quarantine"] as const)("one row is missing in %s", (where) => {
    fc.assert(
      fc.property(epoch, epoch, epoch, fc.nat(), (before, between, after, choice) => {
        const { history, quarantine } = restored(before, between, after, false);
        const [database, other] = where === "live" ? [history.live, quarantine] : [quarantine, history.live];
        const rows = certain(history, database, other);
        fc.pre(rows.length > 0);
        const victim = rows[choice % rows.length] ?? "";
        database.delete(victim);
        const judgement = verdict(history, history.live, [quarantine]);
        expect(judgement.lost.map(({ id }) => id)).toContain(victim);
      }),
    );
  });

  test("content is not what was written", () => {
    fc.assert(
      fc.property(epoch, epoch, epoch, fc.boolean(), fc.nat(), (before, between, after, inLive, choice) => {
        const { history, quarantine } = restored(before, between, after, false);
        const database = inLive ? history.live : quarantine;
        fc.pre(database.size > 0);
        const victim = [...database.keys()][choice % database.size] ?? "";
        database.set(victim, "tampered");
        expect(verdict(history, history.live, [quarantine]).wrong).toMatchObject([{ id: victim, found: "tampered" }]);
      }),
    );
  });

  test("a deleted row is back", () => {
    fc.assert(
      fc.property(epoch, epoch, fc.nat(), (before, between, choice) => {
        const history = new History();
        play(history, before);
        history.outage();
        play(history, between);
        const deleted = [...history.memory.rows].filter(
          ([, versions]) => versions.at(-1)?.op === "delete" && versions.at(-1)?.ackAt !== null,
        );
        fc.pre(deleted.length > 0);
        const [id, versions] = deleted[choice % deleted.length] ?? ["", []];
        history.live.set(id, versions.at(-2)?.value ?? "");
        expect(verdict(history, history.live, []).resurrected).toMatchObject([{ id, database: "live" }]);
      }),
    );
  });

  test("the quarantine is gone: every certain row that only it had is lost", () => {
    fc.assert(
      fc.property(epoch, epoch, epoch, (before, between, after) => {
        const { history, quarantine } = restored(before, between, after, false);
        const rows = certain(history, quarantine, history.live);
        const lost = new Set(verdict(history, history.live, [new Map<string, string>()]).lost.map(({ id }) => id));
        expect(rows.filter((id) => !lost.has(id))).toEqual([]);
      }),
    );
  });
});

describe("availability", () => {
  const answer = (mono: number, kind: "ok" | "refused503" | "failed" = "ok") => ({
    mono,
    wall: 1_700_000_000_000 + mono,
    sent: mono,
    kind,
  });

  test("without any acknowledgement there is nothing to measure", () => {
    expect(unavailability(emptyMemory())).toMatchObject({ writesMs: 0, lastAckBefore: null, firstAckAfter: null, gaps: [] });
  });

  test("a gap goes from the last acknowledgement to the first after it, and counts what was refused", () => {
    const memory = {
      ...emptyMemory(),
      answers: [answer(10), answer(20, "refused503"), answer(300, "failed"), answer(900), answer(950), answer(1200)],
      last: { mono: 1200, wall: 0 },
    };
    const seen = unavailability(memory);
    expect(seen).toMatchObject({
      writesMs: 890,
      longestGapMs: 890,
      lastAckBefore: "2023-11-14T22:13:20.010Z",
      firstAckAfter: "2023-11-14T22:13:20.900Z",
    });
    expect(seen.gaps.map((gap) => [gap.milliseconds, gap.refused503, gap.failed])).toEqual([
      [890, 1, 1],
      [250, 0, 0],
    ]);
    expect(unavailability(memory, { from: 1_700_000_000_960 })).toMatchObject({ writesMs: 250, longestGapMs: 890 });
  });

  test("a system that never comes back has an open gap", () => {
    const memory = { ...emptyMemory(), answers: [answer(10), answer(500, "failed")], last: { mono: 5010, wall: 0 } };
    expect(unavailability(memory)).toMatchObject({ writesMs: 5000, firstAckAfter: null, gaps: [{ firstAckAfter: null, failed: 1 }] });
  });

  test("time in which the witness was away is not held against the system", () => {
    const memory = {
      ...emptyMemory(),
      answers: [answer(10), answer(9000), answer(9010)],
      absences: [{ from: 20, to: 8990 }],
      last: { mono: 9010, wall: 0 },
    };
    expect(unavailability(memory).writesMs).toBe(10);
  });
});
