/** What a rollout does to the traffic gate. The gate's state file says what users get; the rollout's record says why. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { observeProcess } from "../processes/process.ts";
import { newPass, readGateState, writeGateState, type GateMode } from "../traffic/state.ts";
import { GATE_PROCESS, gateFolder, gatePassFile, gateStateFile } from "../config/site.ts";
import type { Maintenance } from "../config/pins.ts";
import type { Run } from "../config/run.ts";

/** Users get 503 with message and Retry-After; the verifier passes with a token only this machine's owner can read. */
export function closeGate(run: Run, maintenance: Maintenance): void {
  write(run, "closed", maintenance);
}

/** Users get what maintenance says: everything, reading only, or 503. */
export function setGate(run: Run, maintenance: Maintenance): void {
  write(run, maintenance.mode === "off" ? "open" : maintenance.mode === "read-only" ? "read-only" : "closed", maintenance);
}

function write(run: Run, mode: GateMode, maintenance: Maintenance): void {
  const file = gateStateFile(run.site);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const { pass, passHash } = newPass();
  writeFileSync(gatePassFile(run.site), pass, { mode: 0o600 });
  writeGateState(file, {
    mode,
    epoch: run.epoch,
    message: maintenance.mode !== "off" && maintenance.message !== "" ? maintenance.message : run.definition.maintenanceMessage,
    retryAfterSeconds: run.definition.retryAfterSeconds,
    passHash,
    maintenance,
  });
}

/** Whether the gate's process runs. Without it no request is answered, whatever its state file says. */
export function gateRuns(site: Run["site"]): boolean {
  return observeProcess(gateFolder(site), GATE_PROCESS).running;
}

/** Whether anything was ever said about what users get. */
export function hasGateState(site: Run["site"]): boolean {
  return readGateState(gateStateFile(site)) !== null;
}

/** Whether users get exactly what `maintenance` says. */
export function gateIsAsDeclared(site: Run["site"], maintenance: Maintenance): boolean {
  const state = readGateState(gateStateFile(site));
  const mode: GateMode = maintenance.mode === "off" ? "open" : maintenance.mode === "read-only" ? "read-only" : "closed";
  return state !== null && state.mode === mode;
}

/** Whether the gate lets users' writes through now. */
export function usersCanWrite(site: Run["site"]): boolean {
  return readGateState(gateStateFile(site))?.mode === "open";
}

/** Whether users get 503 now; a gate without a state counts as closed. */
export function usersAreOut(site: Run["site"]): boolean {
  return (readGateState(gateStateFile(site))?.mode ?? "closed") === "closed";
}

/** Token by which checks pass a closed gate; empty where there is none. */
export function verifierPass(site: Run["site"]): string {
  const file = gatePassFile(site);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}
