/** What a command says on its two outputs: kept, shown while it runs, and told where it fails. */
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import type { Messages } from "./messages.ts";

export type Logging = "stdout" | "stderr" | "stdoutAndStderr" | "none";

export interface Output {
  stdout: string;
  stderr: string;
}

/** Reads both; `kept` says what they said once they have ended, without the last line's end. */
export function collect(stdout: Readable, stderr: Readable, logging: Logging | undefined, messages: Messages) {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const both: Buffer[] = [];
  const shown = new PassThrough();
  createInterface({ input: shown }).on("line", (line) => messages.line(line));
  for (const [name, stream] of [
    ["stdout", stdout],
    ["stderr", stderr],
  ] as const) {
    const show = logging === undefined || logging === "stdoutAndStderr" || logging === name;
    stream.on("data", (data: Buffer) => {
      parts[name].push(data);
      both.push(data);
      if (show) shown.write(data);
    });
  }
  const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString("utf8");
  const trimmed = (chunks: Buffer[]): string => text(chunks).replace(/\n$/, "");
  return {
    kept: (): Output => ({ stdout: trimmed(parts.stdout), stderr: trimmed(parts.stderr) }),
    /** @param how it ended, as `exit status 3` */
    failed: (how: string, command: string): Error => new Error(`${how}: running ${JSON.stringify(command)}:\n${text(both)}`),
    end: () => shown.end(),
  };
}
