/** What the traffic gate is told, as a file that is replaced as a whole. The gate never writes it. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { writeAtomically } from "../processes/atomic-file.ts";

const stateSchema = z.strictObject({
  mode: z.enum(["open", "read-only", "closed"]),
  /** Number of the closing this state belongs to. */
  epoch: z.number().int().nonnegative(),
  /** What users read while they are kept out. */
  message: z.string(),
  retryAfterSeconds: z.number().int().nonnegative(),
  /** SHA-256 of the verifier's pass, hexadecimal; empty where nobody passes. */
  passHash: z.string().regex(/^([0-9a-f]{64})?$/),
  /** Declared maintenance, for the banner in the system's own pages. */
  maintenance: z.strictObject({ mode: z.enum(["off", "read-only", "full"]), message: z.string() }),
});

export type GateState = z.infer<typeof stateSchema>;
export type GateMode = GateState["mode"];

/** Header by which the verifier passes a gate that is closed for everybody else. */
export const PASS_HEADER = "x-backout-pass";

/** Takes effect for the next request: whoever is answered by the gate afterwards is answered by this state. */
export function writeGateState(file: string, state: GateState): void {
  writeAtomically(file, `${JSON.stringify(stateSchema.parse(state))}\n`);
}

/** Null where there is no state or it makes no sense: the gate counts as closed then. */
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

/** A secret for the verifier and the hash of it that the gate may know. */
export function newPass(): { pass: string; passHash: string } {
  const pass = randomBytes(32).toString("base64url");
  return { pass, passHash: hashPass(pass).toString("hex") };
}

export function hashPass(pass: string): Buffer {
  return createHash("sha256").update(pass).digest();
}
