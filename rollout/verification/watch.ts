/** Carries a watch through: a poll at the end of each interval, every one kept, until its verdict is certain. Changes nothing of what it watches. */
import { openState } from "../../databases/open-state.ts";
import type { Rollout } from "../../config/record.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { CheckResult, Figures } from "../../config/system/check.ts";
import { runChecks } from "./checks.ts";
import { clockSince, type Clock } from "./clock.ts";
import { openContext } from "./context.ts";
import { addGap, addPoll, beginWatch, endWatch, recordsOf, type WatchRecord } from "./watch-record.ts";
import { judgeWatch, pollCount, tellPoll, type Poll } from "./watch-rule.ts";

export interface WatchRequest {
  site: Site;
  definition: SystemDefinition;
  rollout: Rollout;
  watch: string;
  runId: string;
  speed: number;
  say: (line: string) => void;
}

/** Begins the watch, or goes on with the attempt that was interrupted. One that has passed is left as it is. */
export async function carryThrough(request: WatchRequest): Promise<WatchRecord> {
  const { site, definition, rollout, watch, say, speed } = request;
  const described = definition.watches![watch]!;
  const earlier = recordsOf(site, rollout.epoch, watch).filter(({ begin }) => begin.speed === speed);
  const passed = earlier.find(({ end }) => end?.state === "passed");
  if (passed !== undefined) return passed;
  const interrupted = earlier.at(-1)?.end === null ? earlier.at(-1) : undefined;
  let record = interrupted ?? begin(request);
  const { polls: total, intervalSeconds } = record.begin;
  const clock = clockSince(Date.parse(record.begin.at), speed);
  if (interrupted !== undefined) {
    say(`${watch}: resumes after ${record.polls.length} of ${total} polls`);
    record = noteGap(record, clock, intervalSeconds * 1000, say);
  }
  for (;;) {
    const verdict = judgeWatch(described.pass, record.polls, total);
    if (verdict.state !== "going") return endWatch(record, { at: iso(clock), state: verdict.state, reasons: verdict.reasons });
    await clock.sleep(dueAt(record, intervalSeconds * 1000) - clock.now());
    const poll = await pollOnce(request, record.polls.length + 1, clock);
    if (poll === "superseded")
      return endWatch(record, {
        at: iso(clock),
        state: "failed",
        reasons: ["another rollout began: what was watched is no longer there"],
      });
    record = addPoll(record, poll);
    say(`  ${poll.at}  ${poll.n} of ${total}  ${poll.healthy ? `healthy${tellFigures(poll.figures)}` : tellPoll(poll)}`);
  }
}

function begin({ site, definition, rollout, watch, runId, speed, say }: WatchRequest): WatchRecord {
  const { title, intervalSeconds, durationMinutes } = definition.watches![watch]!;
  const polls = pollCount({ durationMinutes, intervalSeconds });
  say(
    `${watch}: ${title}: ${polls} polls, one every ${intervalSeconds} s${speed === 1 ? "" : `, ${speed} times as fast as the wall's clock`}`,
  );
  return beginWatch(site, { watch, title, epoch: rollout.epoch, runId, at: new Date().toISOString(), speed, polls, intervalSeconds });
}

/** Counted from the last look: time in which nobody looked only moves the end. */
function dueAt({ begin: { at }, polls }: WatchRecord, intervalMs: number): number {
  return Date.parse(polls.at(-1)?.at ?? at) + intervalMs;
}

function noteGap(record: WatchRecord, clock: Clock, intervalMs: number, say: (line: string) => void): WatchRecord {
  const lateMs = clock.now() - dueAt(record, intervalMs);
  if (lateMs <= 0) return record;
  const from = record.polls.at(-1)?.at ?? record.begin.at;
  const gap = { from, to: iso(clock), seconds: Math.round((clock.now() - Date.parse(from)) / 1000) };
  say(`  nobody looked for ${gap.seconds} s, from ${gap.from} to ${gap.to}: that time does not count`);
  return addGap(record, gap);
}

function iso(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}

/** Everything is opened anew for each poll: in a day servers restart. What cannot be opened is not healthy. */
async function pollOnce(request: WatchRequest, n: number, clock: Clock): Promise<Poll | "superseded"> {
  const { site, definition, rollout, watch, runId } = request;
  let results: CheckResult[];
  try {
    const state = await openState(site, definition);
    if (state === null) throw new Error("the state is gone");
    try {
      const last = await state.lastRollout();
      if (last?.epoch !== rollout.epoch || last.state !== "open") return "superseded";
      const run = { site, definition, state, epoch: rollout.epoch, runId, log: () => undefined };
      const context = await openContext(run, rollout.pins, { open: true, readOnly: true });
      results = await runChecks(definition, definition.watches![watch]!.checks, context).finally(() => context.end());
    } finally {
      await state.end();
    }
  } catch (error) {
    results = [{ name: "reach", status: "failed", detail: error instanceof Error ? error.message : String(error) }];
  }
  const failed = results.filter(({ status }) => status === "failed").map(({ name, detail }) => ({ name, detail }));
  const figures: Figures = Object.assign({}, ...results.map((result) => result.figures ?? {})) as Figures;
  return { n, at: iso(clock), healthy: failed.length === 0 && results.some(({ status }) => status === "passed"), failed, figures };
}

function tellFigures(figures: Figures): string {
  const told = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value * 1000) / 1000}`);
  return told.length === 0 ? "" : ` (${told.join(", ")})`;
}
