/** What the engine says while it works, in the order in which it was said: its display for people shows only a resource's latest line. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Said {
  urn: string;
  severity: "debug" | "info" | "warning" | "error";
  message: string;
}

const LOOK_EVERY_MS = 100;

export interface EventLog {
  /** Of the engine: where it writes. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  /** Reads to the end. */
  end(): void;
}

/** Follows the engine's own log of events; whoever starts the engine hands it arguments and environment. */
export function followEvents(say: (said: Said) => void): EventLog {
  const folder = mkdtempSync(join(tmpdir(), "backout-events-"));
  const path = join(folder, "events.jsonl");
  const file = openSync(path, "a+", 0o600);
  let rest = Buffer.alloc(0);
  let at = 0;
  const read = (): void => {
    const chunk = Buffer.alloc(65_536);
    for (let length: number; (length = readSync(file, chunk, 0, chunk.length, at)) > 0; at += length)
      rest = Buffer.concat([rest, chunk.subarray(0, length)]);
    for (let end: number; (end = rest.indexOf("\n")) >= 0; rest = rest.subarray(end + 1)) {
      const said = saidIn(rest.subarray(0, end).toString("utf8"));
      if (said !== null) say(said);
    }
  };
  const looking = setInterval(read, LOOK_EVERY_MS);
  return {
    arguments: ["--event-log", path],
    // The engine takes that option from programs that drive it, who say so.
    environment: { PULUMI_DEBUG_COMMANDS: "true" },
    end: () => {
      clearInterval(looking);
      read();
      closeSync(file);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What one event says; null where it says nothing. Pure. */
export function saidIn(line: string): Said | null {
  const { diagnosticEvent: said } = parsed(line);
  if (said?.urn === undefined) return null;
  // With the engine's own marks for colours.
  const message = said.message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
  return { urn: said.urn, severity: said.severity === "info#err" ? "info" : said.severity, message };
}

function parsed(line: string): { diagnosticEvent?: { urn?: string; message: string; severity: Said["severity"] | "info#err" } } {
  try {
    return JSON.parse(line) as ReturnType<typeof parsed>;
  } catch {
    return {};
  }
}
