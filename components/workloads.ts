/** Ready-made workloads of a service: what its `run` may be besides a function that returns the program's own resource. */
import type { ServiceDefinition } from "../config/system/definition.ts";
import { commandControl, type CommandControl } from "../workloads/command-control.ts";
import type { Workload } from "./define.ts";

type Own = Partial<Omit<ServiceDefinition, "kind" | "control" | "health" | "databases" | "title">>;

/** A process of this machine, which backout starts from the pinned release folder, watches and stops. */
export function process(args: Own): Workload {
  return { workload: "process", ...args };
}

/** Static files: the pinned release folder, published as a whole and served by the gate. */
export function site(): Workload {
  return { workload: "site" };
}

/** A service that commands of your own stop and start: a supervisor, an init system, a remote host. */
export function command(args: CommandControl): Workload {
  return { workload: "command", control: commandControl(args) };
}
