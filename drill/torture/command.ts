/** A command as a person types it, and processes killed while it runs. */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Stage } from "../stage.ts";
import type { Advised } from "./advice.ts";
import { showKill, type Kill } from "./choices.ts";
import type { Dice } from "../dice.ts";
import { killNow, pidsOf } from "./victims.ts";

export interface Ran {
  /** Null: killed. */
  code: number | null;
  /** Output of both streams. */
  said: string;
  /** Its JSON document; null: none. */
  json: Record<string, unknown> | null;
  /** Who was killed, in words. */
  killed: string[];
  /** Kills whose victim did not appear, or too late. */
  missed: Kill[];
  overtime: boolean;
}

/** A command that runs longer hangs. Milliseconds. */
const LIMIT_MS = 300_000;
/** Verbs that ask. */
const ASKING = ["deploy", "rollback", "undo", "recover", "action"];

/** All output is written to the log of the torture, beside the stack. */
export function logOf({ folder }: Stage): string {
  return join(folder, "torture.log");
}

export function show({ tool, words }: Advised): string {
  return `${tool} ${words.join(" ")}`;
}

/** Runs the command until it ends or is killed. Never throws for a failing command. */
export async function run(stage: Stage, command: Advised, kills: readonly Kill[], dice: Dice): Promise<Ran> {
  const { stack } = stage;
  const point = kills.map(({ moment }) => ("point" in moment ? moment.point : null)).find((one) => one !== null) ?? null;
  const points = mkdtempSync(join(stage.folder, "point-"));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...argumentsOf(stage, command)], {
    cwd: stack.folder,
    env: {
      ...stack.environment,
      BACKOUT_RUN_ID: undefined,
      ...(point === null ? {} : { BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points }),
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C is for the torture.
    detached: true,
  });
  let [stdout, said] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
    said += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  let code: number | null | undefined;
  // A process that outlives a killed command keeps its output open.
  const exited = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => {
      code = status;
      resolve();
    });
  });
  const begun = Date.now();
  const ended = (): boolean => code !== undefined;
  const killed: string[] = [];
  const missed: Kill[] = [];
  const work = Promise.all(kills.map((kill) => killWhen(kill)));
  async function killWhen(kill: Kill): Promise<void> {
    const { moment } = kill;
    const come = (): boolean =>
      "point" in moment ? existsSync(join(points, `${moment.point}.reached`)) : Date.now() - begun >= moment.afterMs;
    for (; !ended(); await sleep(20)) {
      if (!come()) continue;
      const pids = pidsOf(kill.victim, stage, child.pid ?? null);
      if (pids.length === 0) {
        // Nobody comes while everything is held at the point.
        if ("point" in moment) break;
        continue;
      }
      if (killNow(dice.pick(pids))) killed.push(showKill(kill));
      break;
    }
    if ("point" in moment) writeFileSync(join(points, `${moment.point}.go`), "");
    if (!killed.includes(showKill(kill))) missed.push(kill);
  }
  const overtime = await Promise.race([exited.then(() => false), sleep(LIMIT_MS, true, { ref: false })]);
  if (overtime && child.pid !== undefined) killNow(child.pid);
  await exited;
  await work;
  // Its last words are on their way.
  await sleep(50);
  const ran = { code: code ?? null, said, json: jsonIn(stdout), killed, missed, overtime };
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  appendFileSync(
    logOf(stage),
    `\n$ ${show(command)}    [${new Date(begun).toISOString()}, ${seconds} s, ended with ${ran.code ?? "a kill"}${killed.map((kill) => `, killed ${kill}`).join("")}]\n${said}\n`,
  );
  return ran;
}

function argumentsOf({ stack }: Stage, { tool, words }: Advised): string[] {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`../../scripts/${tool}.${suffix}`, import.meta.url));
  const missing = (flag: string): string[] => (words.includes(flag) ? [] : [flag]);
  const named = words.some((word) => word === "-s" || word.startsWith("--stack")) ? [] : ["--stack", stack.stack];
  if (tool === "pulumi") {
    const given = words[0] === "up" ? [...missing("--yes"), ...missing("--skip-preview"), ...missing("--suppress-outputs")] : [];
    return [program, ...words, ...named, ...given, "--non-interactive", "--color", "never"];
  }
  return [program, ...words, ...named, ...(ASKING.includes(words[0] ?? "") ? missing("--yes") : []), ...missing("--json")];
}

function jsonIn(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
