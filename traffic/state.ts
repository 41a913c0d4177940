/** The state of the traffic gate, a file that is replaced atomically. The gate never writes it. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { writeAtomically } from "../processes/atomic-file.ts";

const stateSchema = z.strictObject({
  mode: z.enum(["open", "read-only", "closed"]),
  /** Epoch of the rollout that wrote this state. */
  epoch: z.number().int().nonnegative(),
  /** Message for users while the gate is closed. */
  message: z.string(),
  retryAfterSeconds: z.number().int().nonnegative(),
  /** SHA-256 of the verifier's pass, hexadecimal; empty: nobody passes. */
  passHash: z.string().regex(/^([0-9a-f]{64})?$/),
  /** Declared maintenance, for the banner in the system's own pages. */
  maintenance: z.strictObject({ mode: z.enum(["off", "read-only", "full"]), message: z.string() }),
  /** Users reach the services without the gate: whatever it does, they are not kept out. */
  bypassed: z.literal(true).optional(),
});

export type GateState = z.infer<typeof stateSchema>;
export type GateMode = GateState["mode"];

/** Header with which the verifier passes a closed gate. */
export const PASS_HEADER = "x-backout-pass";

/** Takes effect for the next request. */
export function writeGateState(file: string, state: GateState): void {
  writeAtomically(file, `${JSON.stringify(stateSchema.parse(state))}\n`);
}

/** Null: no valid state; the gate then counts as closed. */
export function readGateState(file: string): GateState | null {
  const text = readStateText(file);
  return text === null ? null : parseGateState(text);
}

export function readStateText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

export function parseGateState(text: string): GateState | null {
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A secret for the verifier, and its hash for the gate. */
export function newPass(): { pass: string; passHash: string } {
  const pass = randomBytes(32).toString("base64url");
  return { pass, passHash: hashPass(pass).toString("hex") };
}

export function hashPass(pass: string): Buffer {
  return createHash("sha256").update(pass).digest();
}
