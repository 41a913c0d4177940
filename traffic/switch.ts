/** A proxy or balancer of the user's: told by commands or urls to keep users out and to let them in. */
import { setTimeout as sleep } from "node:timers/promises";
import { ProgramNotStartedError, failureOf, runProgram } from "../processes/run-program.ts";
import type { SwitchedTraffic, TrafficAction } from "../config/system/traffic.ts";

export interface SwitchFacts {
  system: string;
  stack: string;
  epoch: number;
  /** For users, while they are kept out. */
  message: string;
  retryAfterSeconds: number;
}

export interface TrafficSwitch {
  traffic: SwitchedTraffic;
  /** Working folder of commands. */
  folder: string;
  facts: SwitchFacts;
}

type Way = "open" | "close";

/** Users were not let in, or not kept out. */
export class TrafficSwitchError extends Error {
  readonly way: Way;
  /** To be typed by hand. */
  readonly command: string;
  constructor(way: Way, command: string, reason: string) {
    super(`users were not ${way === "open" ? "let in" : "kept out"}: ${reason}`);
    this.name = "TrafficSwitchError";
    this.way = way;
    this.command = command;
  }
}

const TIMEOUT_SECONDS = 30;
const LONGEST_REASON = 500;
/** Answers in a row that must agree. */
const AGREEING = 3;
/** Between two looks whether the switch has taken effect. Milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * Done already, it is done again: it says nothing then.
 * @throws TrafficSwitchError
 */
export async function switchTraffic(at: TrafficSwitch, way: Way): Promise<void> {
  const action = at.traffic[way];
  const fail = (reason: string): never => {
    throw new TrafficSwitchError(way, commandLine(action), reason.slice(0, LONGEST_REASON));
  };
  const failure = await (typeof action === "string" ? post(at, way, action) : run(at, way, action));
  if (failure !== null) fail(`${commandLine(action)} ${failure}`);
  // While a server loads another configuration, processes with the old one answer for a moment, too.
  let agreed = 0;
  for (const until = performance.now() + limitMs(at); ; await sleep(LOOK_EVERY_MS)) {
    const letsIn = await trafficLetsIn(at);
    if (letsIn === null) return;
    agreed = letsIn === (way === "open") ? agreed + 1 : 0;
    if (agreed === AGREEING) return;
    if (agreed > 0 || performance.now() < until) continue;
    const checked = commandLine(at.traffic.check!, "GET");
    if (typeof letsIn === "string") fail(`${checked} ${letsIn}`);
    fail(`${commandLine(action)} succeeded, but ${checked} says that users are ${letsIn === true ? "let in" : "kept out"}`);
  }
}

/** Whether users are let in; null: there is no check; a text: it gives no answer, and why. */
export async function trafficLetsIn(at: TrafficSwitch): Promise<boolean | string | null> {
  const { check } = at.traffic;
  if (check === undefined) return null;
  if (typeof check === "string") {
    try {
      const { status, ok } = await fetch(check, { signal: AbortSignal.timeout(limitMs(at)), redirect: "manual" });
      return ok ? true : status === 503 ? false : `answered ${status}: a check answers 2xx (users are let in) or 503 (they are kept out)`;
    } catch (error) {
      return failureText(error);
    }
  }
  const outcome = await execute(at, "check", check);
  if (typeof outcome === "string") return outcome;
  return outcome.code === 0
    ? true
    : outcome.code === 1 && !outcome.timedOut
      ? false
      : `${outcome.failure}: a check ends with 0 (users are let in) or 1`;
}

/** How a person does the same. */
export function commandLine(action: TrafficAction, method: "POST" | "GET" = "POST"): string {
  if (typeof action === "string") return `curl -fsS ${method === "POST" ? "-X POST " : ""}${quoted(action)}`;
  return action.map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

const limitMs = ({ traffic }: TrafficSwitch): number => (traffic.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000;

/** Null: done. */
async function post(at: TrafficSwitch, way: Way, url: string): Promise<string | null> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ action: way, ...at.facts }),
      signal: AbortSignal.timeout(limitMs(at)),
    });
    const text = (await response.text()).trim();
    return response.ok ? null : `answered ${response.status}${text === "" ? "" : `: ${text}`}`;
  } catch (error) {
    return failureText(error);
  }
}

async function run(at: TrafficSwitch, way: Way, command: string[]): Promise<string | null> {
  const outcome = await execute(at, way, command);
  return typeof outcome === "string" ? outcome : outcome.failure;
}

async function execute(at: TrafficSwitch, action: string, command: string[]) {
  const { system, stack, epoch, message, retryAfterSeconds } = at.facts;
  try {
    const result = await runProgram({
      command,
      folder: at.folder,
      environment: {
        BACKOUT_TRAFFIC: action,
        BACKOUT_SYSTEM: system,
        BACKOUT_STACK: stack,
        BACKOUT_EPOCH: String(epoch),
        BACKOUT_MESSAGE: message,
        BACKOUT_RETRY_AFTER: String(retryAfterSeconds),
      },
      timeoutMs: limitMs(at),
    });
    const failure = failureOf(result, limitMs(at));
    const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-3).join("; ");
    return { ...result, failure: failure === null || said === "" ? failure : `${failure}: ${said}` };
  } catch (error) {
    if (error instanceof ProgramNotStartedError) return `was not started: ${error.message}`;
    throw error;
  }
}

/** Of a request: what `fetch` hides in the cause. */
function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "did not answer in time";
  return `did not answer: ${error.cause instanceof Error ? error.cause.message : error.message}`;
}
