/**
 * Where services listen that choose their port when they start, as containers do: a file beside the gate's state, by service, replaced atomically.
 * The gate never writes it. A service that is not in it listens where the gate's configuration says.
 */
import { dirname, join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../processes/atomic-file.ts";
import { readStateText } from "./state.ts";

const upstreamsSchema = z.record(z.string(), z.int().min(1).max(65_535));

type Ports = z.infer<typeof upstreamsSchema>;

/** @param stateFile the gate's */
export function upstreamsFile(stateFile: string): string {
  return join(dirname(stateFile), "upstreams.json");
}

function portsIn(text: string | null): Ports {
  try {
    return text === null ? {} : upstreamsSchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Where the gate sends requests now; null: where its configuration says. */
export function upstreamOf(stateFile: string, service: string): number | null {
  return portsIn(readStateText(upstreamsFile(stateFile)))[service] ?? null;
}

/** Takes effect for the next request. @param port null: where the gate's configuration says */
export function setUpstream(stateFile: string, service: string, port: number | null): void {
  const file = upstreamsFile(stateFile);
  const before = portsIn(readStateText(file));
  if ((before[service] ?? null) === port) return;
  const { [service]: _former, ...others } = before;
  writeAtomically(file, `${JSON.stringify(upstreamsSchema.parse(port === null ? others : { ...others, [service]: port }))}\n`);
}

/** For the gate: looks at each request, and reads what it has not read yet. */
export function followUpstreams(stateFile: string): (service: string, configured: number) => number {
  const file = upstreamsFile(stateFile);
  let known: { text: string | null; ports: Ports } = { text: null, ports: {} };
  return (service, configured) => {
    const text = readStateText(file);
    if (text !== known.text) known = { text, ports: portsIn(text) };
    return known.ports[service] ?? configured;
  };
}
