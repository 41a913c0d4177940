/** Rows as the server's own text, streamed in batches. */
import type { Client, CustomTypesConfig } from "pg";
import Cursor from "pg-cursor";
import type { TextRow } from "../shared/comparison.ts";

/** Hands every value over as the server rendered it: no rounding, no time zone, nothing lost on the way back. */
export const AS_TEXT: CustomTypesConfig = { getTypeParser: () => (value: string | Buffer) => value };

/** Rows asked for at a time: as many as this many characters hold, judged by the longest row there is and by those of the batch before. */
const BATCH = { rows: 1_000, first: 4, growth: 8, characters: 8_000_000, most: 64_000_000 };

export type Cells = (string | null)[];

/** A query's rows one after another; `head` is the row it stands on, null at the end. Never more than one batch in memory, and of large rows few. */
export class RowStream {
  head: Cells | null = null;
  private readonly cursor: Cursor<Cells>;
  private batch: Cells[] = [];
  private place = 0;
  private ended = false;
  private rows = BATCH.first;
  private readonly mostRows: number;

  /** @param longest bytes of the longest row's text, where it is long */
  constructor(client: Client, text: string, values: unknown[], longest = 0) {
    this.mostRows = Math.max(1, Math.min(BATCH.rows, Math.floor(BATCH.most / Math.max(1, longest))));
    this.cursor = client.query(new Cursor<Cells>(text, values, { rowMode: "array", types: AS_TEXT }));
  }

  async advance(): Promise<void> {
    if (this.place >= this.batch.length && !this.ended) {
      this.batch = await this.cursor.read(Math.min(this.rows, this.mostRows));
      this.rows = nextRows(this.rows, this.batch);
      this.place = 0;
      this.ended = this.batch.length === 0;
    }
    this.head = this.batch[this.place++] ?? null;
  }

  /** Does not wait for the server: after an error, or without a connection, its answer would never come. What is queued behind it does wait. */
  close(): void {
    this.cursor.close().catch(() => undefined);
  }
}

function nextRows(rows: number, batch: readonly Cells[]): number {
  const largest = batch.reduce((most, cells) => Math.max(most, sizeOf(cells)), 1);
  return Math.max(1, Math.min(BATCH.rows, rows * BATCH.growth, Math.floor(BATCH.characters / largest)));
}

function sizeOf(cells: Cells): number {
  return cells.reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
}

/** A difference: the cells of one side or of both. */
export interface Pair {
  before: Cells | null;
  after: Cells | null;
  /** How many rows of equal matching text the later side has had so far, this one included. */
  copies: number;
}

/**
 * Merges two streams whose first cell is the matching text they are sorted by and whose second is the row's hash. Equal texts pair off one
 * by one, which is the match by key and the difference of two multisets alike.
 */
export async function* differences(old: RowStream | null, now: RowStream | null): AsyncGenerator<Pair> {
  let last: string | null = null;
  let copies = 0;
  await Promise.all([old?.advance(), now?.advance()]);
  for (;;) {
    const before = old?.head ?? null;
    const after = now?.head ?? null;
    if (before === null && after === null) return;
    const order = before === null ? 1 : after === null ? -1 : compareBytes(before[0]!, after[0]!);
    const match = (order > 0 ? after : before)![0]!;
    if (match !== last) copies = 0;
    last = match;
    if (order >= 0) copies++;
    if (order < 0) yield { before, after: null, copies };
    else if (order > 0) yield { before: null, after, copies };
    else if (before![1] !== after![1]) yield { before, after, copies };
    if (order <= 0) await old?.advance();
    if (order >= 0) await now?.advance();
  }
}

/** The bytes decide, because that is the order the server sorted in; a collation or UTF-16 would disagree with it. */
function compareBytes(one: string, other: string): number {
  return one === other ? 0 : Buffer.compare(Buffer.from(one), Buffer.from(other));
}

export function textRow(columns: readonly string[], cells: Cells): TextRow {
  return Object.fromEntries(columns.map((column, place) => [column, cells[place] ?? null]));
}
