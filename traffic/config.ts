/** What a traffic gate listens on. Read at its start, and again on request; the state file says what users get. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

const port = z.number().int().min(0).max(65535);
/** Absolute paths in PEM. */
const tls = z.strictObject({ certificate: z.string(), key: z.string() });
/** Besides the address of all listeners: another one, for users. */
const host = z.string().optional();
const exception = z.strictObject({ method: z.string().regex(/^[A-Z]+$/), path: z.string().startsWith("/") });
const listener = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("proxy"),
    service: z.string(),
    host,
    port,
    tls: tls.optional(),
    /** Port of the service itself, on 127.0.0.1. */
    upstreamPort: port,
    /** Requests that pass a read-only gate although their method may write. */
    readOnlyAllow: z.array(exception).default([]),
  }),
  z.strictObject({
    kind: z.literal("static"),
    service: z.string(),
    host,
    port,
    tls: tls.optional(),
    /** Folder to serve, or a link to it that may change at any time. */
    root: z.string(),
    /** Path prefixes whose requests go to a service instead: a site and its API under one origin. */
    routes: z.array(z.strictObject({ prefix: z.string().startsWith("/"), service: z.string(), upstreamPort: port })).default([]),
    readOnlyAllow: z.array(exception).default([]),
  }),
]);

const configSchema = z.strictObject({
  /** Absolute path of the state file. */
  stateFile: z.string(),
  /** Address of all listeners that name no other. */
  host: z.string().default("127.0.0.1"),
  /** A separate listener for `/__backout/…`, which every other listener answers too. */
  controlPort: port.optional(),
  listeners: z.array(listener).min(1),
  /** For every proxy listener. */
  readOnlyAllow: z.array(exception).default([]),
  /** Time for running requests to finish when the gate ends. Milliseconds. */
  shutdownGraceMs: z.number().int().positive().default(5_000),
});

export type GateConfig = z.infer<typeof configSchema>;
/** As written: keys with a default may be omitted. */
export type GateConfigInput = z.input<typeof configSchema>;
export type GateListener = GateConfig["listeners"][number];

export class GateConfigError extends Error {
  readonly file: string;
  readonly problem: string;

  constructor(file: string, problem: string) {
    super(`the traffic gate's configuration ${file} is not valid: ${problem}`);
    this.name = "GateConfigError";
    this.file = file;
    this.problem = problem;
  }
}

export function parseGateConfig(value: unknown): GateConfig {
  return configSchema.parse(value);
}

/** Equal for two equivalent configurations. */
export function configurationId(config: GateConfig): string {
  return createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 16);
}

/** @throws GateConfigError */
export function readGateConfig(file: string): GateConfig {
  try {
    return parseGateConfig(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new GateConfigError(file, error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message);
  }
}
