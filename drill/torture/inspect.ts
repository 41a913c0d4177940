/** Whether the system is as declared: by status, by the answer at each port, by the gate. */
import type { Status } from "../../scripts/pulumi/answers.ts";
import { versionIn } from "../inspect-outside.ts";
import { pinsNow, urlOf, type Stage } from "../stage.ts";
import { runVerb } from "../verbs.ts";

export interface Seen {
  /** What is not as declared, in words; empty: everything is. */
  wrong: string[];
  status: Status | null;
  /** Release that is pinned now. */
  release: string;
  /** Whether users may write. */
  open: boolean;
}

export async function lookAtAll(stage: Stage): Promise<Seen> {
  const { pins } = await pinsNow(stage);
  const { json, failure } = await runVerb<Status>(stage.stack, "status", []);
  const status = json !== null && "stack" in json ? json : null;
  const open = pins.maintenance.mode === "off";
  const seen = { status, release: pins.release, open };
  if (status === null) return { ...seen, wrong: [failure ?? "status gave no answer"] };
  const wrong = [...toldBy(status, pins.maintenance.mode)];
  for (const [service, pin] of Object.entries(pins.services)) {
    const answers = await answerOf(stage, service, pins.maintenance.mode !== "full");
    if (answers === undefined) continue;
    const wanted = pin.run || stage.definition.services[service]?.kind === "static" ? pin.release : null;
    if (answers !== wanted) wrong.push(`${service}: pinned is ${wanted ?? "off"}, and ${answers ?? "nothing"} answers`);
  }
  return { ...seen, wrong };
}

const MODES = { off: "open", "read-only": "read-only", full: "closed" } as const;

/** Deviations that status itself reports. */
function toldBy({ reached, reason, rollout, gate, services }: Status, maintenance: keyof typeof MODES): string[] {
  const wrong: string[] = [];
  if (!reached) wrong.push(`the database is unreachable: ${reason ?? "status does not say why"}`);
  else if (rollout === null) wrong.push("nothing is deployed");
  else if (rollout.unfinished || rollout.state !== "open")
    wrong.push(`rollout ${rollout.epoch} is ${rollout.state}${rollout.failure === null ? "" : `, failed at ${rollout.failure}`}`);
  if (gate === null || !gate.running) wrong.push("the gate does not run");
  else if (gate.mode !== MODES[maintenance]) wrong.push(`the gate is ${gate.mode}, maintenance is ${maintenance}`);
  for (const { name, asPinned } of services) if (!asPinned) wrong.push(`${name} is not as pinned`);
  return wrong;
}

/**
 * Release that answers, at the service's own port and, where users are let in, through the gate; null: nobody; undefined: it has no port.
 */
async function answerOf(stage: Stage, service: string, usersIn: boolean): Promise<string | null | undefined> {
  const { definition, site } = stage;
  const { kind, health } = definition.services[service]!;
  const behindGate = Object.hasOwn(definition.listeners, service);
  const own = behindGate ? site.ports[`${service}-upstream`] : site.ports[service];
  const path = health?.path ?? "/";
  if (kind === "static") return usersIn && behindGate ? versionIn(await textAt(`${urlOf(stage, service)}/`), true) : undefined;
  if (health === undefined || own === undefined) return undefined;
  const direct = versionIn(await textAt(`http://127.0.0.1:${own}${path}`), false);
  if (!behindGate || !usersIn || direct === null) return direct;
  return versionIn(await textAt(`${urlOf(stage, service)}${path}`), false);
}

async function textAt(url: string): Promise<string | null> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  } catch {
    return null;
  }
}
