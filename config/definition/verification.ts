/** Rules for checks, watches and actions. */
import { own } from "../own.ts";
import type { ActionDefinition, SystemDefinition, WatchDefinition } from "../system/definition.ts";
import { among, once, type Fail } from "./rule.ts";

export function wrongChecks({ checks }: SystemDefinition, fail: Fail): void {
  const ids = checks.map(({ id }) => id);
  once(fail, ids, (index) => `checks.${index}.id`, "each check needs a unique id");
}

export function wrongWatches(system: SystemDefinition, fail: Fail): void {
  for (const [watch, definition] of Object.entries(system.watches ?? {})) wrongWatch(system, watch, definition, fail);
}

function wrongWatch(system: SystemDefinition, watch: string, definition: WatchDefinition, fail: Fail): void {
  const { after, checks, follows, durationMinutes, intervalSeconds } = definition;
  const path = `watches.${watch}`;
  const isScope = among(fail, "scope", [...Object.keys(system.scopes), "deploy"]);
  after.forEach((scope, index) => isScope(`${path}.after.${index}`, scope));
  const isCheck = among(
    fail,
    "check",
    system.checks.map(({ id }) => id),
  );
  checks.forEach((check, index) => {
    isCheck(`${path}.checks.${index}`, check);
    if (system.checks.some(({ id, writes }) => id === check && writes === true))
      fail(`${path}.checks.${index}`, check, "this check writes, and a watch must not: remove it");
  });
  if (intervalSeconds > durationMinutes * 60)
    fail(`${path}.intervalSeconds`, intervalSeconds, `must not be more than the ${durationMinutes * 60} s that the watch lasts`);
  if (follows !== undefined) wrongOrder(system, path, { after, follows }, fail);
}

function wrongOrder(
  { watches = {} }: SystemDefinition,
  path: string,
  { after, follows }: { after: string[]; follows: string },
  fail: Fail,
): void {
  among(fail, "watch", Object.keys(watches))(`${path}.follows`, follows);
  const before = own(watches, follows);
  if (before === undefined) return;
  const never = after.filter((scope) => !before.after.includes(scope));
  if (never.length > 0)
    fail(`${path}.follows`, follows, `${follows} is not due after ${never.join(", ")}, so this watch would never begin: add it there`);
  const seen = new Set<string>();
  for (let next: string | undefined = follows; next !== undefined; next = own(watches, next)?.follows) {
    if (seen.has(next)) {
      fail(`${path}.follows`, follows, "these watches wait for each other, so none begins: remove one `follows`");
      return;
    }
    seen.add(next);
  }
}

export function wrongActions(system: SystemDefinition, fail: Fail): void {
  for (const [action, definition] of Object.entries(system.actions ?? {})) wrongAction(system, `actions.${action}`, definition, fail);
}

function wrongAction(system: SystemDefinition, path: string, action: ActionDefinition, fail: Fail): void {
  const watches = system.watches ?? {};
  const isScope = among(fail, "scope", Object.keys(system.scopes));
  const isWatch = among(fail, "watch", Object.keys(watches));
  action.watches.forEach((watch, index) => isWatch(`${path}.watches.${index}`, watch));
  action.after.forEach((scope, index) => {
    isScope(`${path}.after.${index}`, scope);
    if (!action.watches.some((watch) => own(watches, watch)?.after.includes(scope)))
      fail(`${path}.after.${index}`, scope, "none of its watches is due after this scope: name one, or remove the scope");
  });
  among(fail, "database", Object.keys(system.databases))(`${path}.database`, action.database);
  const migrations = own(system.databases, action.database)?.migrations.map(({ name }) => name);
  if (migrations !== undefined) among(fail, "migration", migrations, action.database)(`${path}.migration`, action.migration);
  if (action.work === "drop" && action.keeps.length === 0)
    fail(`${path}.keeps`, [], "`drop` drops the tables that are exported first: name them");
}
