/** What a benchmark found, as data, as a table, and as statements that hold or do not. */

export type BenchName = "restore-standby" | "restore-no-standby" | "rollback-up" | "noop-up";

export interface Result {
  name: BenchName;
  /** Rows of the principal table. */
  rows: number;
  /** Median. */
  ours: number;
  /** Median; null where the peer cannot run here, and `peerMissing` says why. */
  peer: number | null;
  unit: "seconds";
  /** `ours / peer`: below 1 backout is faster. */
  ratio: number | null;
  /** What `peer` is. */
  against: string;
  peerMissing?: string;
  /** Median of fence confirmed closed → new database reachable, from the journal. */
  cutOverMs?: number;
  /** Median of the traffic gate closed → open after verification. */
  keptOutSeconds?: number;
  samples: { ours: number[]; peer: number[] };
}

export interface Measured {
  name: BenchName;
  rows: number;
  against: string;
  ours: number[];
  /** Empty where the peer cannot run. */
  peer: number[];
  peerMissing?: string;
  cutOverMs?: number[];
  keptOutSeconds?: number[];
}

export function resultOf({ name, rows, against, ours, peer, peerMissing, cutOverMs = [], keptOutSeconds = [] }: Measured): Result {
  const [our, their] = [median(ours), peer.length === 0 ? null : median(peer)];
  return {
    name,
    rows,
    ours: rounded(our),
    peer: their === null ? null : rounded(their),
    unit: "seconds",
    ratio: their === null ? null : rounded(our / their),
    against,
    ...(peerMissing === undefined ? {} : { peerMissing }),
    ...(cutOverMs.length === 0 ? {} : { cutOverMs: rounded(median(cutOverMs)) }),
    ...(keptOutSeconds.length === 0 ? {} : { keptOutSeconds: rounded(median(keptOutSeconds)) }),
    samples: { ours: ours.map(rounded), peer: peer.map(rounded) },
  };
}

/** @throws RangeError without values: a benchmark that measured nothing has no median. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("there is no median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export interface Claim {
  text: string;
  holds: boolean;
}

const MOST = { cutOverMs: 100, overNoop: 2, overEmpty: 1 };

/** The targets, judged on what was measured; what was not measured is not claimed. */
export function claims(results: readonly Result[]): Claim[] {
  const standby = results.filter(({ name, cutOverMs }) => name === "restore-standby" && cutOverMs !== undefined);
  const most = Math.max(...standby.map(({ cutOverMs }) => cutOverMs!));
  const cutOver =
    standby.length === 0
      ? []
      : [
          {
            text: `cut-over of restores with a standby copy under ${MOST.cutOverMs} ms at every size: at most ${most} ms`,
            holds: most < MOST.cutOverMs,
          },
        ];
  const longer = (name: BenchName, limit: number, what: string): Claim[] =>
    results
      .filter((result) => result.name === name && result.peer !== null)
      .map(({ samples }) => {
        // Turn by turn: what is measured one right after the other was measured on an equally fast machine.
        const seconds = rounded(median(samples.ours.map((ours, turn) => ours - samples.peer[turn]!)));
        return { text: `${what} at most ${limit} s longer: ${seconds} s, the median of all turns`, holds: seconds <= limit };
      });
  return [
    ...cutOver,
    ...longer("rollback-up", MOST.overNoop, "a rollback than a no-op update"),
    ...longer("noop-up", MOST.overEmpty, "a no-op update than an empty stack's"),
  ];
}

export function table(results: readonly Result[]): string {
  const seconds = (value: number | null): string => (value === null ? "–" : `${value.toFixed(3)} s`);
  const header = ["", "rows", "ours", "peer", "ours/peer", "cut-over", "kept out", "peer is"];
  const lines = results.map((result) => [
    result.name,
    result.rows.toLocaleString("en"),
    seconds(result.ours),
    seconds(result.peer),
    result.ratio === null ? "–" : result.ratio.toFixed(3),
    result.cutOverMs === undefined ? "" : `${result.cutOverMs.toFixed(1)} ms`,
    result.keptOutSeconds === undefined ? "" : seconds(result.keptOutSeconds),
    result.peerMissing === undefined ? result.against : `not measured: ${result.peerMissing}`,
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  const show = (line: string[]): string =>
    line
      .map((cell, column) => (column === 0 || column === line.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [
    show(header),
    ...lines.map(show),
    "",
    ...claims(results).map(({ text, holds }) => `${holds ? "holds" : "DOES NOT HOLD"}: ${text}`),
  ].join("\n");
}
