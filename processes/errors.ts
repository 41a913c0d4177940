/** Errors of starting and stopping processes. */
import type { ProcessRecord } from "./record.ts";

export class AnotherRunningError extends Error {
  readonly running: ProcessRecord;
  readonly wanted: { release: string; configHash: string };

  constructor(running: ProcessRecord, wanted: { release: string; configHash: string }) {
    const change = running.release === wanted.release ? "with another configuration" : `at ${running.release}`;
    super(`"${running.name}" already runs ${change} (pid ${running.pid}); stop it before you start ${wanted.release}`);
    this.name = "AnotherRunningError";
    this.running = running;
    this.wanted = wanted;
  }
}

/** The kernel takes such a port for each outgoing connection, and keeps it for a minute. */
const OUTGOING = ", below those for outgoing connections (/proc/sys/net/ipv4/ip_local_port_range)";

export class PortTakenError extends Error {
  readonly processName: string;
  readonly port: number;
  readonly holder: number | null;

  constructor(processName: string, port: number, holder: number | null) {
    const who = holder === null ? "another process, or by a connection that took it for a moment" : `process ${holder}`;
    super(
      `"${processName}" cannot be started: port ${port} is held by ${who}; end it or declare another port${holder === null ? OUTGOING : ""}`,
    );
    this.name = "PortTakenError";
    this.processName = processName;
    this.port = port;
    this.holder = holder;
  }
}

export class StartError extends Error {
  readonly spec: { name: string; folder: string; command: string[] };

  constructor(spec: { name: string; folder: string; command: string[] }, cause: unknown) {
    super(
      `"${spec.name}" could not be started as \`${spec.command.join(" ")}\` in ${spec.folder}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
    this.name = "StartError";
    this.spec = spec;
  }
}

/** A program has ended and left processes of its own running. */
export class BackgroundError extends Error {
  readonly processName: string;
  readonly pids: number[];

  constructor(processName: string, left: readonly { pid: number }[]) {
    const pids = left.map(({ pid }) => pid);
    super(
      `"${processName}" has ended and left ${pids.length === 1 ? "process" : "processes"} ${pids.join(", ")} running: only the program of its command is watched. ` +
        `Let it stay in the foreground (an option such as \`--nodaemon\` or \`daemon off\`; in a shell script, \`exec\`)`,
    );
    this.name = "BackgroundError";
    this.processName = processName;
    this.pids = pids;
  }
}

export class StillRunningError extends Error {
  readonly running: { name: string; pid: number }[];

  constructor(running: { name: string; pid: number }[]) {
    super(
      `still running: ${running.map((each) => `"${each.name}" (pid ${each.pid})`).join(", ")}; end ${running.length === 1 ? "it" : "them"} and run the same command again`,
    );
    this.name = "StillRunningError";
    this.running = running;
  }
}
