/** The preflight of `deploy`: inspects each item, shows and records the result, refuses if one is missing. */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { preflightList, ListIncompleteError, listLines, type ListedItem } from "../../rollout/preflight/list.ts";
import { inspectDeployment } from "../../rollout/preflight/inspect.ts";
import type { PinEdit } from "../../config/edit.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { recordOutsideRun } from "../../rollout/audit-log.ts";
import type { DeploymentItem } from "../../config/system/deployment.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { say } from "../pulumi/outcome.ts";

export interface ListRequest {
  /** The stack as it is now. */
  stack: OpenStack;
  /** The stack as it would be: its ledger may have one more tag. */
  after: OpenStack;
  /** Current release; null on the first deployment. */
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
  say("preflight:");
  listLines(list).forEach(say);
  const entry = { runId, event: "before-deployment", system: definition.name, stack: site.stack, from, to: release, reason, list };
  await recordOutsideRun({ site, definition, warn: (message) => say(`! ${message}`) }, entry);
  return list;
}

/** Reason by skipped item. @throws UsageError */
function skipped(items: readonly DeploymentItem[], { skip = [], reason }: ListRequest["options"]): Partial<Record<DeploymentItem, string>> {
  if (skip.length > 0 && (reason === undefined || reason.trim() === "")) throw new UsageError("--skip needs --reason, which is recorded");
  for (const item of skip)
    if (!(items as readonly string[]).includes(item))
      throw new UsageError(
        items.length === 0
          ? `--skip "${item}": this system has no preflight`
          : `--skip "${item}": the preflight has ${items.join(", ")}${suggestion(item, [...items])}`,
      );
  return Object.fromEntries(skip.map((item) => [item, reason!]));
}

/** The tag is entered into the ledger once: another tag would say that the release has changed. */
export function tagEdits({ config }: OpenStack, tag: string | undefined): PinEdit[] {
  if (tag === undefined) return [];
  const recorded = config.releases[config.release]?.tag;
  if (recorded !== undefined && recorded !== tag)
    throw new RefusedError(`${config.release} is recorded with tag ${recorded}, not ${tag}: run again without --tag; nothing was changed`);
  return [{ path: ["releases", config.release, "tag"], value: tag }];
}

/** Runs a drill of the system as a process of its own. @throws RefusedError if it does not pass. */
async function rehearse(system: string, reports: string, project: string): Promise<void> {
  say(`trial rollback: a drill of ${system} runs first`);
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
  if (code !== 0) throw new RefusedError(`the trial rollback of ${system} failed (report in ${reports}); nothing was changed`);
}
