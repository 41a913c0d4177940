/**
 * The verdict on a run: is every acknowledged write in the live database, in a quarantine or in an export, with its content?
 *
 * Rules
 * - A 2xx is a promise. A request without a settling answer is in doubt: both outcomes are right. A refusal (4xx) must have done nothing.
 * - The databases share one history, cut by restores. Each one's part is found from its content (see fit.ts and explain.ts): a quarantine shows the state
 * at the instant it left service; a restored live database shows the state of its snapshot and everything acknowledged since the restore.
 * What was acknowledged between snapshot and restore must be in a quarantine or an export.
 * - `lost`: an acknowledged write that is nowhere. `wrong`: content nobody wrote, a database that lacks what it should hold although another
 * one has it, or a row that was refused and is there. `resurrected`: a row whose deletion was acknowledged is there again.
 * - Availability is measured with the witness's monotonic clock, from acknowledged write to acknowledged write.
 */
import { judgeRow, type Lost, type Place, type Resurrected, type RowVerdict, type Source, type Wrong } from "./accounts.ts";
import { likelyOutages, unavailability, type Period, type Unavailability } from "./availability.ts";
import { readContent, readExports, type DatabaseAddress, type Exported, type Found } from "./content.ts";
import { explain } from "./explain.ts";
import { missingFromExports, type ExportVerdict } from "./exports.ts";
import { readMemory, type Memory } from "./memory.ts";

export interface JudgeQuestion {
  journalFile: string;
  live: DatabaseAddress;
  quarantines: DatabaseAddress[];
  /** JSON Lines files with `{op, table?, key, row, before}` a line. */
  exports: string[];
  /** Restricts `unavailable.writesMs` to the outages of this period (the rollback, not the deployment before it). */
  period?: Period;
}

export interface Explanation {
  database: string;
  rows: number;
  exists: boolean;
  contradictions: number;
  /** What the database holds of the history, in words. */
  holds: string;
}

export interface Judgement {
  run: string;
  acknowledged: { inserts: number; updates: number; deletes: number };
  /** Acknowledged writes by the first place that holds them. Together with `nowhere` as many as were acknowledged. */
  accountedFor: Record<Place, number> & { nowhere: number };
  /** Writes without a settling answer. */
  inDoubt: number;
  lost: Lost[];
  wrong: Wrong[];
  resurrected: Resurrected[];
  /** Changes a restore took out of the live database, and those of them that no export file holds, though the quarantine may. */
  exports: ExportVerdict;
  unavailable: Unavailability;
  requests: { ok: number; refused503: number; failed: number };
  databases: Explanation[];
  /** What was odd: a missing quarantine, a damaged export, a torn line in the journal. */
  problems: string[];
}

/** More outages than a drill has, and few enough to try every one of them as the moment of the restore. */
const PAUSES_TRIED = 24;

/** @throws JournalError without a journal, UnreadableDatabaseError when a database that should answer does not. */
export async function judge(question: JudgeQuestion): Promise<Judgement> {
  const memory = await readMemory(question.journalFile);
  const live = await readContent(memory, question.live, "error");
  const quarantines: { name: string; found: Found }[] = [];
  for (const address of question.quarantines)
    quarantines.push({ name: address.database, found: await readContent(memory, address, "empty") });
  const exports = await readExports(memory, question.exports);
  return judgeFound(memory, { name: question.live.database, found: live }, quarantines, exports, question.period);
}

interface Named {
  name: string;
  found: Found;
}

/** The verdict without any looking: everything that was found is given. */
export function judgeFound(
  memory: Memory,
  live: Named,
  quarantines: readonly Named[],
  exports: { exported: Exported[]; problems: string[] },
  period: Period = {},
): Judgement {
  const pauses = likelyOutages(memory, PAUSES_TRIED);
  const exportsById = Map.groupBy(exports.exported, (change) => change.id);
  const all = [live, ...quarantines];
  const databases = all.map(({ found }, index) => ({ content: found.content, inService: index === 0 }));
  const histories = explain(memory.rows, databases, pauses, new Set(exportsById.keys()));
  const explained = histories.flatMap((history, index) => {
    const { name, found } = all[index] ?? live;
    return { name, found, ...history, place: index === 0 ? ("live" as const) : ("quarantine" as const) };
  });
  const sources: Source[] = explained.map(({ name, place, found, fit: part }) => ({ name, place, content: found.content, fit: part }));

  const result: Judgement = {
    run: memory.run,
    acknowledged: { inserts: 0, updates: 0, deletes: 0 },
    accountedFor: { live: 0, quarantine: 0, export: 0, nowhere: 0 },
    inDoubt: 0,
    lost: [],
    wrong: explained.flatMap(({ name, found }) => strangers(memory, name, found)),
    resurrected: [],
    exports: missingFromExports(
      memory,
      sources.filter((_, index) => all[index]?.found.exists),
      exportsById,
    ),
    unavailable: unavailability(memory, period),
    requests: { ok: 0, refused503: 0, failed: 0 },
    databases: explained.map(({ name, found, contradictions, fit: part }) => ({
      database: name,
      rows: found.content.size,
      exists: found.exists,
      contradictions,
      holds: inWords(memory, part),
    })),
    problems: [
      ...exports.problems,
      ...explained.filter(({ found }) => !found.exists).map(({ name }) => `database "${name}" or its table does not exist`),
    ],
  };
  if (memory.unreadable > 0) result.problems.push(`${memory.unreadable} lines of the journal cannot be read`);
  for (const answer of memory.answers) result.requests[answer.kind] += 1;
  for (const [id, versions] of memory.rows) addRow(result, versions, judgeRow(id, versions, sources, exportsById.get(id) ?? []));
  return result;
}

function addRow(result: Judgement, versions: Memory["rows"] extends Map<string, infer V> ? V : never, verdict: RowVerdict): void {
  for (const [index, version] of versions.entries()) {
    if (version.ackAt === null) {
      result.inDoubt += 1;
      continue;
    }
    result.acknowledged[`${version.op}s`] += 1;
    result.accountedFor[verdict.places[index] ?? "nowhere"] += 1;
  }
  result.lost.push(...verdict.lost);
  result.wrong.push(...verdict.wrong);
  result.resurrected.push(...verdict.resurrected);
}

/** Rows that are there twice, or that the witness was refused or never asked for. */
function strangers(memory: Memory, database: string, found: Found): Wrong[] {
  const twice = found.repeated.map((id) => ({
    id,
    database,
    expected: null,
    found: found.content.get(id) ?? null,
    why: "exists more than once",
  }));
  const unknown = [...found.content].filter(([id]) => !memory.rows.has(id));
  return [
    ...twice,
    ...unknown.map(([id, value]) => ({
      id,
      database,
      expected: null,
      found: value,
      why: "the system refused this row, or nobody wrote it",
    })),
  ];
}

function inWords(memory: Memory, { base, from, to }: { base: number; from: number; to: number }): string {
  const offset = (memory.first?.wall ?? 0) - (memory.first?.mono ?? 0);
  const time = (mono: number): string =>
    mono === -Infinity ? "the beginning" : mono === Infinity ? "the end" : new Date(mono + offset).toISOString();
  return from < to ? `everything until ${time(base)}, and from ${time(from)} until ${time(to)}` : `everything until ${time(base)}`;
}
