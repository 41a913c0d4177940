/** What has to be done before a release is deployed, judged: pure, from what was found. */
import { RefusedError } from "../../config/errors.ts";
import type { DeploymentDefinition, DeploymentItem } from "../../config/system/deployment.ts";

export type ItemStatus =
  | "done"
  /** Done in the course of the deployment; the outcome says what became of it. */
  | "pending"
  | "missing"
  /** Left out by a person, with a reason. */
  | "skipped";

export interface ListedItem {
  id: DeploymentItem;
  title: string;
  status: ItemStatus;
  /** What was found. */
  detail: string;
  /** What to do about it; null where nothing is to be done. */
  how: string | null;
}

/** What was found, by item. */
export interface DeploymentFacts {
  system: string;
  /** What rehearses a rollback of it, as it is typed here. */
  drill: string;
  /** Release that would be left, and the one that is to come. */
  from: string;
  to: string;
  /** Snapshots are verified by a copy that is restored from them. */
  verifies: boolean;
  /** Name under which version control knows the release that would be left; null: none is recorded. */
  tag: string | null;
  /** sha256 or digest of each service of that release. */
  artefacts: Record<string, string>;
  configuration: { path: string; sha256: Record<string, string> };
  /** End of the newest trial that passed, milliseconds of wall clock; null: there is none. */
  trial: { runId: string; at: number } | null;
  /** Text that was kept; null where the policy has none. */
  notification: string | null;
  /** Milliseconds of wall clock. */
  now: number;
}

const TITLES: Record<DeploymentItem, string> = {
  backup: "Backup, verified",
  tag: "Exact state that is left, under its tag",
  configuration: "Copy of the configuration",
  "trial-rollback": "Trial rollback",
  notification: "Notification",
};

const HOUR_MS = 3_600_000;

/** @param skip reason by item that a person leaves out. */
export function preflightList(
  definition: DeploymentDefinition,
  facts: DeploymentFacts,
  skip: Partial<Record<DeploymentItem, string>> = {},
): ListedItem[] {
  return definition.before.map((id) => {
    const reason = skip[id];
    const judged = reason === undefined ? judge(id, definition, facts) : { status: "skipped" as const, detail: reason, how: null };
    return { id, title: TITLES[id], ...judged };
  });
}

type Judged = Pick<ListedItem, "status" | "detail" | "how">;

const done = (detail: string): Judged => ({ status: "done", detail, how: null });
const missing = (detail: string, how: string): Judged => ({ status: "missing", detail, how });

function judge(id: DeploymentItem, { trialWithinHours }: DeploymentDefinition, facts: DeploymentFacts): Judged {
  switch (id) {
    case "backup":
      return facts.verifies
        ? { status: "pending", detail: `before-${facts.to} is taken inside the fence and verified by its standby copy`, how: null }
        : missing("backout:standby is `never`, so that no copy would verify the snapshot", "set backout:standby to `deploy`");
    case "tag":
      return facts.tag === null
        ? missing(
            `the ledger has no tag for ${facts.from}`,
            `tag what runs now in version control, and name that tag: --tag pre-deployment-<YYYYMMDD>-<HHMM>`,
          )
        : done(
            `${facts.from} is ${facts.tag}: ${Object.entries(facts.artefacts)
              .map(([name, hash]) => `${name} ${hash.slice(0, 12)}…`)
              .join(", ")}`,
          );
    case "configuration":
      return done(
        `${facts.configuration.path}: ${Object.entries(facts.configuration.sha256)
          .map(([name, hash]) => `${name} ${hash.slice(0, 12)}…`)
          .join(", ")}`,
      );
    case "trial-rollback":
      return judgeTrial(trialWithinHours, facts);
    case "notification":
      return facts.notification === null
        ? missing("the policy has no text for it", "add a notification for the moment `before-deployment` to the policy")
        : done(facts.notification);
  }
}

function judgeTrial(hours: number, { trial, now, system, drill }: DeploymentFacts): Judged {
  const how = `run \`${drill}\`, or repeat with --trial to have it run now`;
  if (trial === null) return missing(`no rollback of ${system} was rehearsed and passed`, how);
  const ageHours = (now - trial.at) / HOUR_MS;
  const when = `${trial.runId}, ${ageHours.toFixed(1)} hours ago`;
  return ageHours <= hours ? done(when) : missing(`the last one that passed is too old: ${when}; ${hours} are allowed`, how);
}

/** What the deployment itself had still to show. `verified`: names of the snapshots whose copy was verified. */
export function settled(list: readonly ListedItem[], verified: readonly string[]): ListedItem[] {
  return list.map((item) =>
    item.id === "backup" && item.status === "pending" && verified.length > 0
      ? { ...item, status: "done", detail: `${verified.join(", ")}: taken in the fence, its copy verified` }
      : item,
  );
}

/** Something on the list is not done, so that nothing was begun. */
export class ListIncompleteError extends RefusedError {
  readonly before: ListedItem[];
  constructor(release: string, before: ListedItem[]) {
    const lacking = before.filter(({ status }) => status === "missing");
    super(
      `${release} is not deployed, nothing was changed: ${lacking.length} of ${before.length} things to do before are missing\n` +
        `${listLines(before).join("\n")}\nTo leave one out: --skip <item> --reason "…"`,
    );
    this.name = "ListIncompleteError";
    this.before = before;
  }
}

export function listLines(list: readonly ListedItem[]): string[] {
  return list.map(({ id, status, detail, how }) => `  ${status.padEnd(7)} ${id}: ${detail}${how === null ? "" : `\n          → ${how}`}`);
}
