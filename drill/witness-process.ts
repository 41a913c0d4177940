/** The witness of a drill: started, watched through its journal, stopped and asked for its judgement. It is a program of its own. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { observeProcess, startProcess, stopProcess } from "../processes/process.ts";
import type { WitnessScript } from "../config/system/drill.ts";
import { ownProcesses } from "./remove.ts";
import type { Judgement, JudgeQuestion } from "./witness/judge.ts";

export interface WitnessRun {
  /** Folder of the drill or torture, whose removal ends it. */
  drill: string;
  /** Folder of its files. */
  folder: string;
  journalFile: string;
}

const NAME = "witness";
const STOP_GRACE_MS = 10_000;
const CONCURRENCY = 3;
/** How long each of the writers rests between two writes, milliseconds: an outage is seen to some thirty. */
const INTERVAL_MS = 100;

/** Starts it. Its password lies in a file only its owner can read, never among its arguments. */
export async function startWitness(
  { drill, folder = drill, intervalMs = INTERVAL_MS }: { drill: string; folder?: string; intervalMs?: number },
  script: WitnessScript,
  baseUrl: string,
  secret: (name: string) => string,
): Promise<WitnessRun> {
  const own = join(folder, "witness");
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const journalFile = join(own, "journal.jsonl");
  const loginBodyFile = loginFile(folder);
  const body = Object.fromEntries(
    Object.entries(script.login.body).map(([field, text]) => [
      field,
      text.replaceAll(/\{\{secret:([^}]+)\}\}/g, (_whole, name: string) => secret(name)),
    ]),
  );
  writeFileSync(loginBodyFile, JSON.stringify(body), { mode: 0o600 });
  const configFile = join(own, "witness.json");
  writeFileSync(configFile, JSON.stringify({ baseUrl, script, loginBodyFile, journalFile, concurrency: CONCURRENCY, intervalMs }), {
    mode: 0o600,
  });
  await startProcess(ownProcesses(drill), {
    name: NAME,
    folder: own,
    command: [process.execPath, "--disable-warning=ExperimentalWarning", program("main"), configFile],
    environment: {},
    release: NAME,
    configHash: "",
    port: null,
  });
  return { drill, folder, journalFile };
}

/** Its password goes with it: the folder may be kept. */
export async function stopWitness({ drill, folder }: Omit<WitnessRun, "journalFile">): Promise<void> {
  await stopProcess(ownProcesses(drill), NAME, STOP_GRACE_MS);
  rmSync(loginFile(folder), { force: true });
}

function loginFile(folder: string): string {
  return join(folder, "witness", "login.json");
}

function witnessRuns({ drill }: WitnessRun): boolean {
  return observeProcess(ownProcesses(drill), NAME).running;
}

/** What the drill itself reads in the journal. */
export interface Seen {
  /** Wall clock of each acknowledged write, milliseconds. */
  acknowledgedAt: number[];
  /** Wall clock of each good read, milliseconds. */
  readAt: number[];
  /** Beginning of the key of every row the witness writes. */
  prefix: string;
}

export function readJournal({ journalFile }: WitnessRun): Seen {
  const seen: Seen = { acknowledgedAt: [], readAt: [], prefix: "" };
  let text = "";
  try {
    text = readFileSync(journalFile, "utf8");
  } catch {
    return seen;
  }
  for (const line of text.split("\n")) {
    let entry: { type?: string; wall?: number; ok?: boolean; run?: string };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      continue;
    }
    if (entry.type === "start") seen.prefix = `W-${entry.run ?? ""}-`;
    if (entry.type === "ack") seen.acknowledgedAt.push(entry.wall ?? 0);
    if (entry.type === "read" && entry.ok === true) seen.readAt.push(entry.wall ?? 0);
  }
  return seen;
}

/** Waits for `enough` of what the journal holds; false after `limitMs`. */
export async function untilSeen(run: WitnessRun, enough: (seen: Seen) => boolean, limitMs: number): Promise<boolean> {
  const until = Date.now() + limitMs;
  for (;;) {
    if (enough(readJournal(run))) return true;
    if (Date.now() > until || !witnessRuns(run)) return false;
    await sleep(50);
  }
}

/** Requests the judgement. @throws if the witness cannot judge. */
export async function judgementOf(run: WitnessRun, question: Omit<JudgeQuestion, "journalFile">): Promise<Judgement> {
  const file = join(run.folder, "witness", "question.json");
  writeFileSync(file, JSON.stringify({ journalFile: run.journalFile, ...question }), { mode: 0o600 });
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program("judge-main"), file], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  try {
    return JSON.parse(stdout) as Judgement;
  } catch {
    throw new Error(`the witness could not judge: ${stderr.trim() || "no output"}`);
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString("utf8");
}

function program(name: "main" | "judge-main"): string {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./witness/${name}.${suffix}`, import.meta.url));
}
