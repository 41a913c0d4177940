/** Processes that can be killed, found among those that run. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { GATE_PROCESS, gateFolder, processFolder, serverHome } from "../../config/site.ts";
import { observeServer } from "../../databases/postgres/server.ts";
import { findByEnvironment } from "../../processes/identity.ts";
import { observeProcess } from "../../processes/process.ts";
import type { Stage } from "../stage.ts";
import type { Victim } from "./choices.ts";

/** Process ids of this kind of victim now. @param verb process of the command itself. */
export function pidsOf(victim: Victim, { stack, site, definition }: Stage, verb: number | null): number[] {
  switch (victim) {
    case "verb":
      return verb === null ? [] : [verb];
    case "cli":
      return working(stack.home, ([program]) => basename(program ?? "") === "pulumi");
    case "host":
      return working(stack.home, (words) =>
        words.some((word) => basename(word) === "pulumi-language-nodejs" || word.includes("@pulumi/pulumi/cmd/run")),
      );
    case "provider":
    case "retention":
      return working(stack.home, (words) => words.some((word) => /\bscripts\/provider\.[tj]s$/.test(word)));
    case "standby":
      return working(stack.home, (words) => words.some((word) => /\bstandby-main\.[tj]s$/.test(word)));
    case "gate":
      return present(observeProcess(gateFolder(site), GATE_PROCESS).pid);
    case "postgres":
      return site.server === undefined ? [] : present(observeServer(serverHome(site)).pid);
    case "service":
      return Object.entries(definition.services).flatMap(([name, { kind }]) =>
        kind === "static" ? [] : present(observeProcess(processFolder(site), name).pid),
      );
  }
}

/** SIGKILL; false: it had ended. */
export function killNow(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** Everything that still works on the stack: commands, engines, providers, background work. */
export function workersOf(home: string): number[] {
  // Pulumi's language host outlives its engine for five minutes, and does nothing.
  const idle = (words: string[]): boolean => basename(words[0] ?? "").startsWith("pulumi-language-nodejs");
  const works = (word: string): boolean => /backout|pulumi/.test(basename(word)) || /\/(provider|scripts)\//.test(word);
  return working(home, (words) => !idle(words) && words.some(works));
}

function working(home: string, is: (words: string[]) => boolean): number[] {
  return findByEnvironment("BACKOUT_HOME", home).flatMap(({ pid, value }) =>
    value === home && pid !== process.pid && is(commandLine(pid)) ? [pid] : [],
  );
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function present(pid: number | null): number[] {
  return pid === null ? [] : [pid];
}
