/**
 * Whether services stay up. One that was healthy once may end, be started again and again, or answer errors a second later: what is let in front of
 * users has been the same process, and healthy, for a stated time since it was started.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { targetOf } from "../../workloads/index.ts";
import type { Run } from "../../config/run.ts";
import type { Pins, ServicePin } from "../../config/pins.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";

/** Unless a definition says otherwise: a release that is new has to show itself for longer than one that ran before. Seconds. */
const SETTLE_SECONDS = { forward: 3, back: 1 };
const BETWEEN_MS = 200;
/** A service is unhealthy after this many failed answers in a row. */
const UNHEALTHY_LOOKS = 3;
const ERROR_LINES = 5;

type SteadyContext = Pick<Run, "site" | "definition">;

/** By service: what ran, to recognise another process. */
export type Running = Record<string, string | null>;

/** Services that were healthy did not stay so. */
export class NotSteadyError extends Error {
  readonly services: string[];
  constructor(problems: { service: string; problem: string }[]) {
    super(problems.map(({ service, problem }) => `${service} ${problem}`).join("; "));
    this.name = "NotSteadyError";
    this.services = problems.map(({ service }) => service);
  }
}

/** How long services must have run before users are let in. Milliseconds. */
export function settleMs({ settleSeconds }: Pick<SystemDefinition, "settleSeconds">, forward: boolean): number {
  return 1000 * (settleSeconds ?? (forward ? SETTLE_SECONDS.forward : SETTLE_SECONDS.back));
}

/** What runs now of what the pins say should run. */
export async function running(run: SteadyContext, pins: Pick<Pins, "services">): Promise<Running> {
  const target = targetOf(run.site, run.definition);
  const seen = shouldRun(run, pins).map(async (service) => [service, (await target.observe(service)).identity] as const);
  return Object.fromEntries(await Promise.all(seen));
}

function shouldRun({ definition }: SteadyContext, pins: Pick<Pins, "services">): string[] {
  return Object.entries(pins.services).flatMap(([service, { run }]) =>
    run && definition.services[service] !== undefined && definition.services[service].kind !== "static" ? [service] : [],
  );
}

/**
 * Resolves when everything that should run has done so for `minimumMs` since it was started, as the process it was `before`, and is healthy.
 * Waits only for what was started just now. @throws NotSteadyError
 */
export async function staySteady(run: SteadyContext, pins: Pick<Pins, "services">, before: Running, minimumMs: number): Promise<Running> {
  const unhealthy = new Map<string, number>();
  for (;;) {
    const looks = await Promise.all(shouldRun(run, pins).map((service) => observe(run, service, pins.services[service]!, before[service])));
    for (const { service, answer } of looks) unhealthy.set(service, answer === null ? 0 : (unhealthy.get(service) ?? 0) + 1);
    const problems = looks.flatMap(({ service, gone, answer }) => {
      if (gone !== null) return [{ service, problem: gone }];
      return answer !== null && unhealthy.get(service)! >= UNHEALTHY_LOOKS
        ? [{ service, problem: `was healthy when it was started and is not any more: it answers ${answer}` }]
        : [];
    });
    if (problems.length > 0) throw new NotSteadyError(problems);
    const youngest = Math.max(0, ...looks.map(({ startedAtMs }) => startedAtMs ?? 0));
    const restMs = youngest + minimumMs - Date.now();
    if (restMs <= 0 && looks.every(({ answer }) => answer === null)) return running(run, pins);
    await sleep(Math.max(20, Math.min(BETWEEN_MS, restMs > 0 ? restMs : BETWEEN_MS)));
  }
}

interface Observation {
  service: string;
  startedAtMs: number | null;
  /** Why it is not the process it was; null: it is. */
  gone: string | null;
  /** What it answers instead of being healthy; null: it is healthy, or has nothing to be asked. */
  answer: string | null;
}

async function observe(
  { site, definition }: SteadyContext,
  service: string,
  pin: ServicePin,
  before: string | null | undefined,
): Promise<Observation> {
  const target = targetOf(site, definition);
  const { running, identity, startedAtMs, note } = await target.observe(service);
  if (!running || (before !== undefined && identity !== before)) {
    const lines = await target.errorLog(service, ERROR_LINES).catch(() => []);
    const log =
      lines.length === 0 ? "its error log is empty" : `the last lines of its error log:\n${lines.map((line) => `  ${line}`).join("\n")}`;
    const what = running ? "was started again while it was looked at" : "was healthy when it was started and has ended since";
    return { service, startedAtMs, gone: `${what}; ${note === undefined ? "" : `${note}; `}${log}`, answer: null };
  }
  const health = await target.askHealth(service, pin);
  return { service, startedAtMs, gone: null, answer: health === null || health.healthy ? null : health.answer };
}
