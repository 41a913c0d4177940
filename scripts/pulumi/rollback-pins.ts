/** The pins of a rollback: which release, which snapshot, what is blocked. */
import type { Rollout } from "../../config/record.ts";
import { orderOf } from "../../rollout/inspect.ts";
import { commandOf } from "../../config/commands.ts";
import { releaseBefore, settingsBefore, snapshotLeft } from "../../rollout/way-back.ts";
import { standsAfter } from "../../config/ledger.ts";
import { revealed } from "../../config/secret-config.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { own } from "../../config/own.ts";
import { repairsOf } from "../../config/repairs.ts";
import { canonical, rolloutOf, showDataPin } from "../../config/pins.ts";
import { recordedEdits } from "../../config/recorded-pins.ts";
import { askedOf, scopeEdits } from "../../config/scope.ts";
import type { NewWrites } from "../../config/schema.ts";
import { NAMESPACE, suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { configOf as stackConfig } from "../../config/stack-text.ts";
import type { ScopeDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { NotDeployedError } from "./not-deployed.ts";
import { openStack, type OpenStack } from "./stack.ts";
import { askedBefore, hasFailed, requireSettled, textOf, type Standing } from "./standing.ts";
import { escaped, say } from "./outcome.ts";
import { goesBack, plainGoal, previousRelease } from "./rollback-goal.ts";
import { sayUnknown, wayBackEdits } from "./way-back.ts";

export interface RollbackWish {
  to?: string;
  scope?: string;
  incident?: string;
  reason?: string;
  /** Leave the bad release deployable. */
  block?: boolean;
  /** Service of a scope that is for one. */
  service?: string;
  /** Arguments of a repair, `name=value` each. */
  with?: string[];
  /** What becomes of rows written since; as declared unless given. */
  newWrites?: string;
  /** Exact snapshot instead of the newest one taken before the release that is left. */
  snapshot?: string;
  /** Neither go on with what was begun, nor take what is done for done. */
  anew?: boolean;
  /** Only to be looked at: where nobody can say which snapshots exist, the one that a deployment takes is assumed. */
  assume?: boolean;
}

/** The stack file as a rollback would leave it. @throws UsageError, RefusedError */
export async function rollbackText(stack: OpenStack, given: RollbackWish, standing: Standing): Promise<string> {
  let wish = given;
  requireMeant(stack, wish);
  const { reach, lastOpen, pending } = standing;
  if (reach.kind === "unreachable" && wish.assume !== true)
    throw new RefusedError(`it is not known which snapshots exist: ${reach.reason}; nothing was changed`);
  if (reach.kind !== "unreachable" && lastOpen === null)
    throw pending === null
      ? new NotDeployedError(stack)
      : new RefusedError(`${pending.title}: it is the first, so there is nothing to go back to; run \`${pending.command}\``);
  // A restart that is asked for again after it is done is another one.
  const onceMore = wish.anew === true || (pending === null && restarts(stack.definition, wish.scope));
  const begun = onceMore ? null : askedBefore(standing, "rollback", goalOf(wish));
  if (begun !== null) return textOf(stack, begun);
  // Of a deployment that goes back by itself already, that is the way back.
  if (pending?.intent?.failed !== undefined && isPlain(wish)) return textOf(stack, pending.intent);
  if (pending?.forward === true && lastOpen !== null && isPlain(wish)) {
    say(`! ${pending.title}; this goes back to ${lastOpen.pins.release}, which opened last`);
    const block = wish.block === false ? null : { release: pending.release, incident: incidentOf(wish) };
    const way = { ...stack, goal: lastOpen, snapshots: standing.snapshots, block, halfMigrated: false, unknown: sayUnknown };
    return editPins(stack.text, wayBackEdits(way));
  }
  const mayBegin = (other: NonNullable<Standing["pending"]>): boolean => other.forward || hasFailed(other);
  const pinsOf = (one: RollbackWish): string =>
    tryOr(
      () => editPins(baseOf(stack, one, standing), rollbackEdits(stack, one, standing)),
      // What is on its way is said before what this one lacks.
      () => requireSettled(standing, one.anew, mayBegin),
    );
  if (isPlain(wish)) wish = { ...wish, ...(await plainGoal(stack, standing, (goal) => pinsOf({ ...given, ...goal }))) };
  const text = pinsOf(wish);
  const rollout = rolloutOf((await openStack(stack, text)).pins);
  // The same pins edited by hand and interrupted are the same goal.
  if (pending?.rollout?.rollout !== rollout) requireSettled(standing, wish.anew, mayBegin);
  if (lastOpen !== null && pending === null && lastOpen.rollout !== rollout) requireOlder(stack, wish, lastOpen);
  return text;
}

/** What runs already cannot be gone back to. @throws RefusedError */
function requireOlder({ definition }: OpenStack, { to, scope, snapshot }: RollbackWish, { epoch, openedAt, pins }: Rollout): void {
  const found = own(definition.scopes, scope ?? definition.defaultScope);
  if (to !== pins.release || snapshot !== undefined || !goesBack(found)) return;
  const data = found?.pins.data === "snapshot" ? ", or the snapshot that is to be restored with --snapshot" : "";
  throw new RefusedError(
    `${to} is what runs: it opened last (rollout ${epoch}, ${openedAt}). Name an older release with --to${data}; nothing was changed`,
  );
}

/** Equal for options with the same result: who asks, why, and how it is shown are no part of it. */
export function goalOf({ to, scope, service, with: given, newWrites, snapshot }: RollbackWish): string {
  return canonical({ to, scope, service, with: given, newWrites, snapshot });
}

function isPlain({ to, scope, service, with: given, newWrites, snapshot }: RollbackWish): boolean {
  return [to, scope, service, given, newWrites, snapshot].every((wish) => wish === undefined);
}

/** What the edits are made to: where something is half done, its pins are not those that anybody goes back from. */
function baseOf({ text, config, definition, pins }: OpenStack, wish: RollbackWish, { pending, lastOpen }: Standing): string {
  const moves = goesBack(own(definition.scopes, wish.scope ?? definition.defaultScope));
  return pending === null || lastOpen === null || !moves ? text : editPins(text, recordedEdits(config, lastOpen.pins, pins, sayUnknown));
}

function rollbackEdits(stack: OpenStack, wish: RollbackWish, standing: Standing): PinEdit[] {
  const { config, definition } = stack;
  const { pending, lastOpen } = standing;
  const scope = wish.scope ?? definition.defaultScope;
  const found = own(definition.scopes, scope);
  const releases = Object.keys(config.releases);
  const open = lastOpen?.pins.release ?? config.release;
  // A deployment that did not open is left for what opened last; anything else for what came before that.
  const left = pending?.forward === true ? pending.release : open;
  const to = wish.to ?? (!goesBack(found) ? config.release : left === open ? previousRelease(stack, open, standing, false) : open);
  if (!releases.includes(to))
    throw new UsageError(`--to "${to}" is not in the ledger, which has ${releases.join(", ")}${suggestion(to, releases)}`);
  if (standsAfter(orderOf(standing, stack.asked), to, left) && standsAfter(orderOf(standing, stack.asked), to, open))
    throw new UsageError(
      `--to "${to}" is newer than ${left} in the ledger: to deploy it, run \`${commandOf(stack.project, "backout", `deploy ${to} --stack ${stack.stack}`)}\``,
    );
  const target = { scope, ...(wish.service === undefined ? {} : { service: wish.service }) };
  const edits = scopeEdits(definition, {
    ...target,
    to,
    at: new Date().toISOString(),
    snapshots: readsSnapshot(definition, found) ? snapshotsBefore(stack, { left, to }, wish, standing) : {},
    with: argumentsOf(wish.with ?? []),
    block: wish.block === false || to === left ? null : { release: left, incident: incidentOf(wish) },
    overrides: overridesBefore(stack, target, to, standing),
    restarts: Object.fromEntries(Object.entries(config.services).map(([name, { restart }]) => [name, restart ?? 0])),
  });
  const ledger = stackConfig(stack.text)[`${NAMESPACE}:releases`] as Record<string, LedgerEntry> | undefined;
  const written = edits.map((edit) => asWritten(config, ledger, edit));
  return wish.newWrites === undefined ? written : [...written, { path: ["newWrites"], value: wish.newWrites }];
}

function incidentOf({ incident, reason }: RollbackWish): string {
  return escaped(incident ?? reason ?? "rolled back");
}

/** @throws UsageError for options that contradict each other */
function requireMeant({ definition }: OpenStack, wish: RollbackWish): void {
  const { newWrites } = wish;
  const scope = wish.scope ?? definition.defaultScope;
  if (newWrites === undefined) return;
  requireNewWrites(newWrites);
  const data = own(definition.scopes, scope)?.pins.data;
  if (newWrites !== "export" && own(definition.scopes, scope) !== undefined && data !== "snapshot")
    throw new UsageError(
      `--new-writes ${newWrites}: scope "${scope}" restores no data, so there are no rows to ${newWrites === "reject" ? "refuse it for" : "put back"}: leave it away`,
    );
}

const NEW_WRITES: string[] = ["export", "reapply", "reject"] satisfies NewWrites[];

/** For the help of a verb. */
export const NEW_WRITES_IN_WORDS = "export, reapply (put back those that fit the schema) or reject";

/** @throws UsageError */
export function requireNewWrites(given: string): void {
  if (!NEW_WRITES.includes(given))
    throw new UsageError(`--new-writes "${given}" is not one of ${NEW_WRITES.join(", ")}${suggestion(given, NEW_WRITES)}`);
}

/** @throws UsageError */
function argumentsOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new UsageError(`--with "${text}": write it as name=value`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Whether the scope restores the data from a snapshot, or fixes it with a repair that reads one. */
function readsSnapshot(definition: SystemDefinition, scope: ScopeDefinition | undefined): boolean {
  const data = scope?.pins.data;
  if (typeof data !== "object") return data === "snapshot";
  return Object.keys(definition.databases).some((database) => repairsOf(definition, database)[data.repair]?.readsSnapshot === true);
}

/** The snapshot taken when the goal was left, with its generation: exact, so that it means the same tomorrow. */
function snapshotsBefore(
  { definition, pins, asked }: OpenStack,
  { left, to }: { left: string; to: string },
  { snapshot: wished }: RollbackWish,
  { reach, snapshots, opened }: Standing,
): Record<string, string> {
  // Where the release stays, the data goes back to before it came.
  const goal = to === left ? releaseBefore(opened, orderOf({ opened }, asked), to) : to;
  return Object.fromEntries(
    Object.keys(definition.databases).map((database) => {
      if (wished !== undefined) return [database, wished];
      // What is gone back to already stands on its snapshot.
      const pin = pins.data[database];
      if (to === left && pin?.kind === "snapshot") return [database, showDataPin(pin)];
      if (reach.kind === "unreachable") return [database, `before-${left}`];
      const own = snapshots.filter((snapshot) => snapshot.database === database);
      const found = goal === null ? null : snapshotLeft(opened, own, goal);
      if (found === null) throw new RefusedError(nothingKept(definition, database, goal, own));
      return [database, `${found.name}@${found.generation}`];
    }),
  );
}

function nothingKept(definition: SystemDefinition, database: string, left: string | null, own: Standing["snapshots"]): string {
  const what = left === null ? "no release was left before this one" : `no snapshot was taken when ${left} was left`;
  const there = own.map(({ name, generation }) => `${name}@${generation}`).join(", ");
  const others = Object.entries(definition.scopes).flatMap(([name, scope]) => (readsSnapshot(definition, scope) ? [] : [name]));
  return (
    `${database} cannot go back: ${what}. There ${there === "" ? "is no snapshot at all" : `are ${there}: name one with --snapshot`}; ` +
    `scopes that need none: ${others.join(", ") || "none"}. Nothing was changed`
  );
}

/** What changes in what is declared over the ledger's settings, so that they are as they were before. */
function overridesBefore(
  { config, definition, pins, site }: OpenStack,
  target: { scope: string; service?: string },
  to: string,
  { opened }: Standing,
): Record<string, Record<string, string | null | undefined>> {
  const scope = own(definition.scopes, target.scope);
  if (scope === undefined) return {};
  const asked = askedOf(definition, target);
  const before = settingsBefore(opened, pins, to, asked);
  if (before === null) return {};
  const ledgers = (name: string) => Object.values(config.releases).map((release) => release.services[name]?.config ?? {});
  return Object.fromEntries(
    Object.keys(asked).map((name) => {
      const goes = scope.pins.release === "to" || asked[name]?.release === "to";
      const release = goes ? to : pins.services[name]?.release;
      const recorded = (release === undefined ? undefined : config.releases[release]?.services[name]?.config) ?? {};
      const over = config.services[name]?.config ?? {};
      const wanted = Object.fromEntries(
        Object.entries(before[name] ?? {}).map(([key, value]) => {
          const known = revealed(site, key, value, [over, ...ledgers(name)]);
          if (known === null)
            say(`! ${key} of ${name} was a secret before, which is kept nowhere: it becomes what the ledger recorded; set it by hand`);
          return [key, known ?? recorded[key]];
        }),
      );
      return [name, changesOf(recorded, over, wanted)];
    }),
  );
}

/** A setting that the ledger holds encrypted stays so where it is written again. */
function asWritten(config: OpenStack["config"], ledger: Record<string, LedgerEntry> | undefined, edit: PinEdit): PinEdit {
  const [section, service, part, key] = edit.path;
  if (section !== "services" || part !== "config" || service === undefined || key === undefined || typeof edit.value !== "string")
    return edit;
  const cipher = Object.entries(config.releases)
    .filter(([, { services }]) => services[service]?.config?.[key] === edit.value)
    .map(([release]) => ledger?.[release]?.services?.[service]?.config?.[key])
    .find((value) => typeof value === "object");
  return cipher === undefined ? edit : { ...edit, value: cipher };
}

/** As it is written: an encrypted setting is `{secure: …}`. */
interface LedgerEntry {
  services?: Record<string, { config?: Record<string, unknown> }>;
}

function changesOf(
  recorded: Record<string, string>,
  over: Record<string, string | null>,
  wanted: Record<string, string | undefined>,
): Record<string, string | null | undefined> {
  const asWanted = (key: string): string | null | undefined =>
    wanted[key] === recorded[key] ? undefined : (wanted[key] ?? (key in recorded ? null : undefined));
  const keys = new Set([...Object.keys(recorded), ...Object.keys(over), ...Object.keys(wanted)]);
  return Object.fromEntries([...keys].filter((key) => over[key] !== asWanted(key)).map((key) => [key, asWanted(key)]));
}

function tryOr<T>(work: () => T, otherwise: () => void): T {
  try {
    return work();
  } catch (error) {
    otherwise();
    throw error;
  }
}

/** Whether a scope starts services anew although nothing else of them changes. */
function restarts({ scopes, defaultScope }: SystemDefinition, scope: string | undefined): boolean {
  const pins = scopes[scope ?? defaultScope]?.pins;
  return [pins?.service, ...Object.values(pins?.services ?? {})].some((asked) => asked?.restart === true);
}
