/** Ready-made workloads of a service: what its `run` may be besides a function that returns the program's own resource. */
import type { ServiceDefinition } from "../config/system/definition.ts";
import { commandControl, type CommandControl } from "../workloads/command-control.ts";
import type { Workload } from "./define.ts";

type Own = Partial<Omit<ServiceDefinition, "kind" | "control" | "health" | "databases" | "title" | "build">>;

export interface ProcessArgs extends Own {
  /** A program with its arguments, or a line for the shell, e.g. `npm ci`: prepares a release before anything stops. @default none */
  build?: string | string[];
}

/** What a shell does not take for anything else than words. */
const WORDS = /^[\w@%+:,./=-]+(?: +[\w@%+:,./=-]+)*$/;

/** A process of this machine, which backout starts from the pinned release folder, watches and stops. */
export function process({ build, ...args }: ProcessArgs): Workload {
  if (typeof build !== "string") return { workload: "process", ...args, ...(build === undefined ? {} : { build }) };
  // Of a program without a shell it is known beforehand whether it is there.
  return { workload: "process", ...args, build: WORDS.test(build) ? build.split(/ +/) : ["sh", "-c", build] };
}

/** Static files: the pinned release folder, published as a whole and served by the gate. */
export function site(): Workload {
  return { workload: "site" };
}

/** A service that commands of your own stop and start: a supervisor, an init system, a remote host. */
export function command(args: CommandControl): Workload {
  return { workload: "command", control: commandControl(args) };
}
