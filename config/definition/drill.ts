/** Rules for the drill of a definition, if it has one. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { own } from "../own.ts";
import type { FaultDefinition } from "../system/drill.ts";
import type { SystemDefinition } from "../system/definition.ts";
import { among, type Fail } from "./rule.ts";

export function wrongDrill(system: SystemDefinition, fail: Fail): void {
  const { drill } = system;
  if (drill === undefined) return;
  among(fail, "listener", Object.keys(system.listeners))("drill.witness.service", drill.witness.service);
  among(fail, "fault", Object.keys(drill.faults))("drill.defaultFault", drill.defaultFault);
  if (drill.from === drill.to) fail("drill.to", drill.to, "must be another release than `from`, which the drill leaves");
  for (const [fault, definition] of Object.entries(drill.faults)) wrongFault(system, `drill.faults.${fault}`, definition, fail);
  for (const [standIn, { entry }] of Object.entries(drill.standIns)) {
    const file = join(system.folder, entry);
    if (!existsSync(file)) fail(`drill.standIns.${standIn}.entry`, entry, `must be a program in the system's folder; ${file} not found`);
  }
}

function wrongFault(system: SystemDefinition, path: string, fault: FaultDefinition, fail: Fail): void {
  const isScope = among(fail, "scope", Object.keys(system.scopes));
  const isService = among(fail, "service", Object.keys(system.services));
  isScope(`${path}.scope`, fault.scope);
  isScope(`${path}.after`, fault.after);
  isService(`${path}.service`, fault.service);
  isService(`${path}.hinder.portOf`, fault.hinder?.portOf);
  for (const service of Object.keys(fault.configure ?? {})) isService(`${path}.configure`, service);
  if (fault.service === undefined && own(system.scopes, fault.scope)?.pins.service !== undefined)
    fail(`${path}.service`, fault.service, `scope ${fault.scope} is for one service: name it`);
}
