/** The ephemeral stack of one drill, and the drill's access to it. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { targetOf } from "../workloads/index.ts";
import type { PinEdit } from "../config/edit.ts";
import { definedSecret } from "../config/secrets.ts";
import type { Site } from "../config/site.ts";
import type { Engine } from "../scripts/pulumi/environment.ts";
import { openStack, stackFile, type OpenStack } from "../scripts/pulumi/stack.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { DrillContext } from "../config/system/drill.ts";
import { openData } from "../databases/open-data.ts";
import { makeEphemeralStack, type EphemeralStack } from "./ephemeral-stack.ts";
import { takeFreePorts } from "./ports.ts";
import type { DrillRequest } from "./request.ts";
import { planStandIns, standInFolder, startStandIns, type StandIn } from "./stand-ins.ts";
import { drillOf } from "../config/system/drill.ts";

export interface Stage {
  folder: string;
  stack: EphemeralStack;
  site: Site;
  definition: SystemDefinition;
}

/** Configuration that enables the defects of a sample release. */
const FAULTS = { FAULTS_ENABLED: "1" };

/** Creates the stack and starts the stand-ins. Copies the real stack's declaration, not its current state. */
export async function setStage({ source, scope }: DrillRequest, folder: string, name: string, engine: Engine): Promise<Stage> {
  const { definition, project } = source;
  const standIns = await planStandIns(definition);
  const edits = [...(await ownPins(source, scope)), ...configEdits(source, standIns)];
  const stack = await makeEphemeralStack({ project, stack: source.stack, folder, name, engine, edits });
  const opened = await openStack(stackFile(stack.stack, folder));
  const site: Site = { ...opened.site, home: stack.home };
  await startStandIns(folder, opened.definition, standIns, (secret) => definedSecret(site, opened.definition, secret));
  return { folder, stack, site, definition: opened.definition };
}

async function ownPins(source: OpenStack, scope: string): Promise<PinEdit[]> {
  const [port] = await takeFreePorts(1);
  const { data = "current" } = source.definition.scopes[scope]?.pins ?? {};
  const unset = [
    "services",
    "data",
    "schema",
    "flags",
    "constraints",
    "violations",
    "maintenance",
    "backups",
    "newWrites",
    "blocked",
    "freeze",
    "exact",
    "serverPassword",
    "store",
    "storeKey",
  ];
  const asksForBackup = source.definition.deployment?.before.includes("backup") === true;
  return [
    { path: ["release"], value: drillOf(source.definition).to },
    ...unset.map((key): PinEdit => ({ path: [key], value: undefined })),
    // No standby copy is made if neither the scope nor a deployment needs it.
    { path: ["standby"], value: data === "current" && !asksForBackup ? "never" : undefined },
    ...(source.config.target === "process" ? [] : [{ path: ["target"], value: "process" } satisfies PinEdit]),
    ...(source.config.server === undefined || source.config.server.embedded
      ? []
      : [{ path: ["server"], value: { embedded: true, port } } satisfies PinEdit]),
  ];
}

/** The stand-ins' addresses for every release, and the defects for the newer one. */
function configEdits({ definition, config }: OpenStack, standIns: readonly StandIn[]): PinEdit[] {
  const urls = Object.fromEntries(standIns.flatMap(({ urlKey, url }) => (urlKey === null ? [] : [[urlKey, url]])));
  const { from, to } = drillOf(definition);
  return [from, to].flatMap((release) =>
    Object.entries(definition.services).flatMap(([service, { kind }]): PinEdit[] => {
      const artefact = config.releases[release]?.services[service];
      if (kind === "static" || artefact === undefined) return [];
      const value = { ...artefact.config, ...urls, ...(release === from ? FAULTS : {}) };
      return [{ path: ["releases", release, "services", service, "config"], value }];
    }),
  );
}

/** The stack as its file says now. */
export function pinsNow({ stack }: Stage): Promise<OpenStack> {
  return openStack(stackFile(stack.stack, stack.folder));
}

export function dataPin({ stack }: Stage): string {
  const { config } = parse(readFileSync(stack.file, "utf8")) as { config: Record<string, unknown> };
  const data = config["backout:data"] ?? "current";
  return typeof data === "string" ? data : JSON.stringify(data);
}

export function urlOf({ site }: Stage, service: string): string {
  return `http://127.0.0.1:${site.ports[service]}`;
}

/** Runs `work` with the access that faults and probes need; its sessions end with it, because a cut-over would end them. */
export async function withContext<T>(stage: Stage, work: (context: DrillContext) => Promise<T>): Promise<T> {
  const { site, definition, folder } = stage;
  const { pins } = await pinsNow(stage);
  const target = targetOf(site, definition);
  const data = openData(site);
  try {
    return await work({
      url: (service) => urlOf(stage, service),
      database: data.database,
      sqlite: data.sqlite,
      secret: (name) => definedSecret(site, definition, name),
      observe: (service) => target.observe(service),
      runs: (service) => pins.services[service]?.run ?? false,
      home: site.home,
      folder: standInFolder(folder),
    });
  } finally {
    await data.end();
  }
}
