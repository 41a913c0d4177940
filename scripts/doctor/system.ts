/** What the stack file and the definition say, against this machine: secrets, builds, ports, Docker, locks. Changes nothing. */
import { join } from "node:path";
import { missingSecrets } from "../../config/secrets.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { observeServer } from "../../databases/embedded-server.ts";
import { isRunning } from "../../processes/identity.ts";
import { holderIn } from "../../processes/lock-holder.ts";
import { holderOf, isPortFree } from "../../processes/ports.ts";
import { PortTakenError } from "../../processes/process.ts";
import { cannotRun, outOfReach } from "../../workloads/index.ts";
import { takenListeners, takenPorts, toRun } from "../../workloads/taken-ports.ts";
import { gateRuns } from "../../rollout/gate.ts";
import { engineEnvironment, findEngine } from "../pulumi/engine.ts";
import { stateLocks } from "../pulumi/file-backend.ts";
import type { StackLockHolder } from "../pulumi/stack-lock.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { failure, failures, ok, warning, type Finding } from "./finding.ts";
import { dockerPluginFinding } from "./machine.ts";

/** What needs no pins. */
export async function siteFindings(site: Site, definition: SystemDefinition): Promise<Finding[]> {
  const secrets = Object.keys(definition.secrets ?? {});
  return [
    ...failures(
      "secrets",
      missingSecrets(site, definition, secrets),
      secrets.length === 0 ? "none needed" : `${secrets.join(", ")}: set, or generated`,
    ),
    ...(await dockerFindings(site, definition)),
    ...(await serverPort(site)),
    ...(await lockFindings(site)),
  ];
}

async function dockerFindings(site: Site, definition: SystemDefinition): Promise<Finding[]> {
  if (site.target !== "docker") return [];
  const reason = await outOfReach(site, definition);
  return [reason === null ? ok("Docker", "the daemon answers") : failure("Docker", reason), dockerPluginFinding(site.project)];
}

/** Of a stopped embedded server: another program may have its port. */
async function serverPort(site: Site): Promise<Finding[]> {
  if (site.server?.embedded !== true) return [];
  const { port } = site.server;
  if ((await observeServer(site)).state === "running" || (await isPortFree(port))) return [ok("server port", `${port}`)];
  return [failure("server port", new PortTakenError("the embedded PostgreSQL server", port, holderOf(port)).message)];
}

async function lockFindings(site: Site): Promise<Finding[]> {
  const holder = holderIn<StackLockHolder>(join(site.home, "lock.json"));
  const findings: Finding[] = [];
  if (holder !== null)
    findings.push(
      isRunning(holder.pid)
        ? warning("lock", `${holder.user}@${holder.host} (pid ${holder.pid}) works on the stack since ${holder.since}: ${holder.what}`)
        : warning("lock", `pid ${holder.pid} (${holder.what}) died with the lock: the next verb takes it over`),
    );
  const engine = await findEngine().catch(() => undefined);
  const backend = engine === undefined ? undefined : engineEnvironment(engine, site.project)["PULUMI_BACKEND_URL"];
  for (const { file, pid, holds } of stateLocks(backend, site.stack, site.project))
    findings.push(
      holds
        ? warning("state lock", `an update by pid ${pid} is under way (${file})`)
        : warning("state lock", `pid ${pid} died with the lock of the state: the next update removes it`),
    );
  return findings.length === 0 ? [ok("lock", "free")] : findings;
}

/** What the pins need. */
export async function pinFindings({ site, definition, pins }: OpenStack): Promise<Finding[]> {
  const builds = await cannotRun(site, definition, pins);
  const listeners = gateRuns(site) ? [] : await takenListeners(site, definition);
  const taken = [...listeners, ...(await takenPorts(site, definition, toRun(pins)))];
  return [
    ...failures("builds", builds, `${Object.keys(pins.services).join(", ")}: as the ledger says`),
    ...failures("ports", taken, `${Object.values(site.ports).join(", ") || "none"}: free, or the stack's own`),
  ];
}
