/** Which requests pass the traffic gate: the only place that decides it. */
import { timingSafeEqual } from "node:crypto";
import { hashPass, type GateState } from "./state.ts";

/** The parts of a request that the gate uses. */
export interface GateRequest {
  method: string;
  /** As sent, without the query. */
  path: string;
  /** True for a WebSocket upgrade. */
  upgrade: boolean;
  /** The pass in its header. */
  pass: string | undefined;
}

/**
 * A request that only reads although its method says otherwise, e.g. a login: `{method: "POST", path: "/auth/login"}`. Method `UPGRADE`: a
 * WebSocket.
 */
export interface ReadOnlyException {
  method: string;
  path: string;
}

export type Decision =
  /** `verified`: it has the verifier's pass. */
  { action: "pass"; verified: boolean } | { action: "refuse"; message: string; retryAfterSeconds: number };

export const UNKNOWN_STATE_MESSAGE = "The system is closed for maintenance.";
const UNKNOWN_STATE_RETRY_SECONDS = 30;

const READING_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Without a readable state the gate is closed, for the verifier too, because its pass is unknown. */
export function decide(state: GateState | null, request: GateRequest, exceptions: ReadOnlyException[]): Decision {
  if (state === null) return { action: "refuse", message: UNKNOWN_STATE_MESSAGE, retryAfterSeconds: UNKNOWN_STATE_RETRY_SECONDS };
  if (showsPass(state, request.pass)) return { action: "pass", verified: true };
  if (state.mode === "open") return { action: "pass", verified: false };
  if (state.mode === "read-only" && onlyReads(request, exceptions)) return { action: "pass", verified: false };
  return { action: "refuse", message: state.message, retryAfterSeconds: state.retryAfterSeconds };
}

/** A WebSocket carries anything, so it counts as writing although it begins as a GET. */
function onlyReads(request: GateRequest, exceptions: ReadOnlyException[]): boolean {
  const method = request.upgrade ? "UPGRADE" : request.method;
  return READING_METHODS.has(method) || exceptions.some((each) => each.method === method && each.path === request.path);
}

function showsPass(state: GateState, pass: string | undefined): boolean {
  if (pass === undefined || state.passHash === "") return false;
  const expected = Buffer.from(state.passHash, "hex");
  const shown = hashPass(pass);
  return expected.length === shown.length && timingSafeEqual(expected, shown);
}
