/** Finds what the list before a deployment asks about. Writes the copy of the configuration, and nothing else. */
import { drillCommand } from "../../config/commands.ts";
import type { Artefact, StackConfig } from "../../config/schema.ts";
import type { Pins } from "../../config/pins.ts";
import type { Site } from "../../config/site.ts";
import { readHistory } from "../../state/drill-reports/history.ts";
import { currentConfigurationFile, keepConfiguration } from "../../state/configuration.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { BEFORE_DEPLOYMENT } from "../../config/system/deployment.ts";
import type { DeploymentFacts } from "./list.ts";

export interface DeploymentQuestion {
  site: Site;
  definition: SystemDefinition;
  config: StackConfig;
  /** Pins in force. */
  pins: Pins;
  /** Release that would be left. */
  from: string;
  to: string;
  runId: string;
  reason: string | null;
  /** Folder with the reports of drills. */
  reports: string;
}

export function inspectDeployment(question: DeploymentQuestion): DeploymentFacts {
  const { site, definition, config, pins, from, to, runId, reports } = question;
  const left = config.releases[from];
  return {
    system: definition.name,
    drill: drillCommand(site.project, definition.name),
    from,
    to,
    verifies: config.standby !== "never",
    tag: left?.tag ?? null,
    artefacts: Object.fromEntries(Object.entries(left?.services ?? {}).map(([service, artefact]) => [service, identityOf(artefact)])),
    configuration: keepConfiguration(currentConfigurationFile(site, runId), pins),
    trial: newestTrial(reports, definition.name),
    notification: notificationText(question),
    now: Date.now(),
  };
}

function identityOf({ sha256, image }: Artefact): string {
  return sha256 ?? image?.split("sha256:").at(-1) ?? "";
}

function newestTrial(reports: string, system: string): DeploymentFacts["trial"] {
  const passed = readHistory(reports).reports.filter((report) => report.system === system && report.verdict === "passed");
  return passed
    .map(({ runId, startedAt, seconds }) => ({ runId, at: Date.parse(startedAt) + seconds * 1000 }))
    .reduce<DeploymentFacts["trial"]>((newest, one) => (newest === null || one.at > newest.at ? one : newest), null);
}

function notificationText({ definition, from, to, reason }: DeploymentQuestion): string | null {
  const texts = (definition.policy?.notifications ?? []).filter(({ when }) => when === BEFORE_DEPLOYMENT);
  if (texts.length === 0) return null;
  const values: Record<string, string> = { from, to, reason: reason ?? "deployment" };
  return texts
    .map(({ channel, to: whom = [], text }) => `${channel}${whom.length === 0 ? "" : ` to ${whom.join(", ")}`}: ${fill(text, values)}`)
    .join("; ");
}

function fill(text: string, values: Record<string, string>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
