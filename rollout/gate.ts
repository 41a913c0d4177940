/**
 * What a rollout does to traffic. The gate's state file says what users get; the rollout's record says why. Where users come through a balancer of
 * their own, it is closed first and opened last.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { observeProcess } from "../processes/process.ts";
import { newPass, readGateState, writeGateState, type GateMode } from "../traffic/state.ts";
import { switchTraffic, trafficLetsIn, type TrafficSwitch } from "../traffic/switch.ts";
import { isOpenAlways, isSwitched } from "../config/traffic.ts";
import { GATE_PROCESS, gateFolder, gatePassFile, gateStateFile } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { Maintenance } from "../config/pins.ts";
import type { Rollout } from "../config/record.ts";
import type { Run } from "../config/run.ts";

/**
 * Users get 503 with message and Retry-After; the verifier passes with a token only this machine's owner can read.
 * @throws TrafficSwitchError
 */
export async function closeGate(run: Run, maintenance: Maintenance): Promise<void> {
  const at = switchOf(run, messageOf(run, maintenance));
  if (at !== null) await switchTraffic(at, "close");
  write(run, "closed", maintenance);
}

/**
 * Users get what maintenance says: everything, reading only, or 503.
 * @throws TrafficSwitchError; users are then kept out
 */
export async function setGate(run: Run, maintenance: Maintenance): Promise<void> {
  const mode = modeOf(maintenance);
  if (mode === "closed") return closeGate(run, maintenance);
  write(run, mode, maintenance);
  const at = switchOf(run, messageOf(run, maintenance));
  if (at === null) return;
  try {
    await switchTraffic(at, "open");
  } catch (error) {
    write(run, "closed", maintenance);
    throw error;
  }
}

function modeOf({ mode }: Maintenance): GateMode {
  return mode === "off" ? "open" : mode === "read-only" ? "read-only" : "closed";
}

function messageOf({ definition }: Pick<Run, "definition">, maintenance: Maintenance): string {
  return maintenance.mode !== "off" && maintenance.message !== "" ? maintenance.message : definition.maintenanceMessage;
}

/** Null: users come through the gate itself, or are never kept out. */
function switchOf({ site, definition, epoch }: Pick<Run, "site" | "definition" | "epoch">, message: string): TrafficSwitch | null {
  const { traffic, folder, retryAfterSeconds, name: system } = definition;
  if (!isSwitched(traffic) || site.traffic === "private") return null;
  return { traffic, folder, facts: { system, stack: site.stack, epoch, message, retryAfterSeconds } };
}

function write(run: Run, mode: GateMode, maintenance: Maintenance): void {
  const file = gateStateFile(run.site);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const { pass, passHash } = newPass();
  writeFileSync(gatePassFile(run.site), pass, { mode: 0o600 });
  writeGateState(file, {
    mode,
    epoch: run.epoch,
    message: messageOf(run, maintenance),
    retryAfterSeconds: run.definition.retryAfterSeconds,
    passHash,
    maintenance,
    ...(isOpenAlways(run.definition) ? { bypassed: true as const } : {}),
  });
}

/** Whether the gate's process runs. Without it no request is answered, whatever its state file says. */
export function gateRuns(site: Run["site"]): boolean {
  return observeProcess(gateFolder(site), GATE_PROCESS).running;
}

/** A gate that nothing was said to yet begins closed, with a pass for checks. A balancer stays as it is: users reach what ran before. */
export function beginGate(run: Run, maintenance: Maintenance): void {
  if (readGateState(gateStateFile(run.site)) === null) write(run, "closed", maintenance);
}

/**
 * The gate of this machine as the rollout needs it, where another one began it: closed with a pass for checks, whatever was left here by an earlier one.
 * @throws TrafficSwitchError
 */
export async function takeOverGate(run: Run, { state, plan, pins }: Pick<Rollout, "state" | "plan" | "pins">): Promise<void> {
  beginGate(run, pins.maintenance);
  const left = readGateState(gateStateFile(run.site))!.epoch !== run.epoch;
  if (left && plan.closeGate && state !== "open" && state !== "refused") await closeGate(run, pins.maintenance);
}

/** Whether users get exactly what `maintenance` says. A balancer that gives no answer counts as it was left. */
export async function gateIsAsDeclared(site: Run["site"], definition: SystemDefinition, maintenance: Maintenance): Promise<boolean> {
  const state = readGateState(gateStateFile(site));
  if (state === null || state.mode !== modeOf(maintenance)) return false;
  const at = switchOf({ site, definition, epoch: state.epoch }, state.message);
  const letsIn = at === null ? null : await trafficLetsIn(at);
  return typeof letsIn !== "boolean" || letsIn === (state.mode !== "closed");
}

/** How the balancer differs from what the gate's state says, in words; null: it does not, there is none, or it is not checked. */
export async function trafficDrift(site: Run["site"], definition: SystemDefinition): Promise<string | null> {
  const state = readGateState(gateStateFile(site));
  const at = state === null ? null : switchOf({ site, definition, epoch: state.epoch }, state.message);
  if (state === null || at === null) return null;
  const letsIn = await trafficLetsIn(at);
  if (typeof letsIn === "string") return `whether users are let in is not known: the check ${letsIn}`;
  const wanted = state.mode !== "closed";
  return letsIn === null || letsIn === wanted
    ? null
    : `users are ${letsIn ? "let in" : "kept out"} by the balancer, and should be ${wanted ? "let in" : "kept out"}: \`up\` corrects it`;
}

/** Whether users' writes come through now. */
export function usersCanWrite(site: Run["site"]): boolean {
  const state = readGateState(gateStateFile(site));
  return state?.bypassed === true || state?.mode === "open";
}

/** Whether users are kept out now; a gate without a state counts as closed. */
export function usersAreOut(site: Run["site"]): boolean {
  const state = readGateState(gateStateFile(site));
  return state?.bypassed !== true && (state?.mode ?? "closed") === "closed";
}

/** Whether users reach the services whatever the gate does. */
export function isBypassed(site: Run["site"]): boolean {
  return readGateState(gateStateFile(site))?.bypassed === true;
}

/** Token by which checks pass a closed gate; empty where there is none. */
export function verifierPass(site: Run["site"]): string {
  const file = gatePassFile(site);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}
