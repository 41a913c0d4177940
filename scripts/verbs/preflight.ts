/** The list before a deployment as `deploy` goes through it: looked at, told, recorded, and refused where something is missing. */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { preflightList, ListIncompleteError, listLines, type ListedItem } from "../../rollout/preflight/list.ts";
import { inspectDeployment } from "../../rollout/preflight/inspect.ts";
import type { PinEdit } from "../../config/edit.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { recordOutsideRun } from "../../rollout/governance.ts";
import type { DeploymentItem } from "../../config/system/deployment.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { say } from "../pulumi/outcome.ts";

export interface ListRequest {
  /** As it is now. */
  stack: OpenStack;
  /** As it would be: its ledger may have a tag more. */
  after: OpenStack;
  /** Release that is left; null on the first deployment, which leaves nothing. */
  from: string | null;
  release: string;
  runId: string;
  options: { skip?: string[]; reason?: string; trial?: boolean; reports?: string };
}

/** @throws ListIncompleteError, UsageError */
export async function listBefore({ stack, after, from, release, runId, options }: ListRequest): Promise<ListedItem[]> {
  const { definition, site } = stack;
  const skip = skipped(definition.deployment?.before ?? [], options);
  if (definition.deployment === undefined || from === null) return [];
  const reports = resolve(options.reports ?? join(stack.project, "reports"));
  if (options.trial === true) await rehearse(definition.name, reports, stack.project);
  const reason = options.reason ?? null;
  const facts = inspectDeployment({
    site,
    definition,
    config: after.config,
    pins: stack.pins,
    from,
    to: release,
    runId,
    reason,
    reports,
  });
  const list = preflightList(definition.deployment, facts, skip);
  if (list.some(({ status }) => status === "missing")) throw new ListIncompleteError(release, list);
  say("before the deployment:");
  listLines(list).forEach(say);
  const entry = { runId, event: "before-deployment", system: definition.name, stack: site.stack, from, to: release, reason, list };
  await recordOutsideRun({ site, definition, warn: (message) => say(`! ${message}`) }, entry);
  return list;
}

/** Reason by item that is left out. @throws UsageError */
function skipped(items: readonly DeploymentItem[], { skip = [], reason }: ListRequest["options"]): Partial<Record<DeploymentItem, string>> {
  if (skip.length > 0 && (reason === undefined || reason.trim() === ""))
    throw new UsageError("--skip needs --reason: why it is left out is recorded");
  for (const item of skip)
    if (!(items as readonly string[]).includes(item))
      throw new UsageError(
        items.length === 0
          ? `--skip "${item}": this system asks for nothing before a deployment`
          : `--skip "${item}": the list has ${items.join(", ")}${suggestion(item, [...items])}`,
      );
  return Object.fromEntries(skip.map((item) => [item, reason!]));
}

/** The tag goes into the ledger once: another one for the same release would say that what was released has changed. */
export function tagEdits({ config }: OpenStack, tag: string | undefined): PinEdit[] {
  if (tag === undefined) return [];
  const recorded = config.releases[config.release]?.tag;
  if (recorded !== undefined && recorded !== tag)
    throw new RefusedError(`${config.release} is recorded as ${recorded}, not ${tag}: leave --tag away; nothing was changed`);
  return [{ path: ["releases", config.release, "tag"], value: tag }];
}

/** A drill of the system, as a process of its own. @throws RefusedError where it does not pass. */
async function rehearse(system: string, reports: string, project: string): Promise<void> {
  say(`a rollback of ${system} is rehearsed first`);
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`../backout.${suffix}`, import.meta.url));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, "drill", system, "--json", "--reports", reports],
    {
      cwd: project,
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const code = await new Promise<number>((settle, reject) => {
    child.once("error", reject);
    child.once("close", (status) => settle(status ?? 1));
  });
  if (code !== 0)
    throw new RefusedError(`the trial rollback of ${system} has not passed (its report is in ${reports}); nothing was changed`);
}
