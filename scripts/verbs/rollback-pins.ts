/** The pins of a rollback: which release, which snapshot, what is blocked. */
import { look } from "../../crossing/look.ts";
import { compareReleases } from "../../crossing/plan.ts";
import { editPins, type PinEdit } from "../../declared/edit.ts";
import { own } from "../../declared/own.ts";
import { repairsOf } from "../../declared/repairs.ts";
import { showDataPin } from "../../declared/pins.ts";
import { scopeEdits } from "../../declared/scope.ts";
import type { Carry } from "../../declared/schema.ts";
import { suggestion } from "../../declared/errors.ts";
import type { ScopeDefinition } from "../../systems/definition.ts";
import type { OpenStack } from "../stack.ts";
import { UsageError, VerbRefusedError } from "./outcome.ts";

export interface RollbackWish {
  to?: string;
  scope?: string;
  incident?: string;
  reason?: string;
  /** Leave the bad release deployable. */
  block?: boolean;
  /** Component of a scope that is for one. */
  component?: string;
  /** Arguments of a repair, `name=value` each. */
  with?: string[];
  /** What becomes of rows written since; as declared unless given. */
  carry?: string;
  /** Exact snapshot instead of the newest one taken before the release that is left. */
  snapshot?: string;
  /** Only to be looked at: where nobody can say which snapshots exist, the one that a deployment takes is assumed. */
  assume?: boolean;
}

/** The stack file as a rollback would leave it. */
export async function rollbackText(stack: OpenStack, wish: RollbackWish): Promise<string> {
  return editPins(stack.text, await rollbackEdits(stack, wish));
}

export async function rollbackEdits(stack: OpenStack, wish: RollbackWish): Promise<PinEdit[]> {
  const { declared, definition } = stack;
  const scope = wish.scope ?? definition.defaultScope;
  const releases = Object.keys(declared.releases);
  const to = wish.to ?? (goesBack(own(definition.scopes, scope)) ? previousRelease(declared.release, releases) : declared.release);
  if (!releases.includes(to))
    throw new UsageError(`--to "${to}" is not in the ledger, which has ${releases.join(", ")}${suggestion(to, releases)}`);
  const data = own(definition.scopes, scope)?.pins.data;
  const reads = Object.keys(definition.databases).filter(
    (database) => typeof data === "object" && repairsOf(definition, database)[data.repair]?.readsSnapshot === true,
  );
  const carry = wish.carry;
  if (carry !== undefined && !CARRIES.includes(carry))
    throw new UsageError(`--carry "${carry}" is not one of ${CARRIES.join(", ")}${suggestion(carry, CARRIES)}`);
  const edits = scopeEdits(definition, {
    scope,
    to,
    at: new Date().toISOString(),
    snapshots: data === "snapshot" || reads.length > 0 ? await snapshotsBefore(stack, to, wish) : {},
    with: argumentsOf(wish.with ?? []),
    block:
      wish.block === false || to === declared.release
        ? null
        : { release: declared.release, incident: wish.incident ?? wish.reason ?? "rolled back" },
    ...(wish.component === undefined ? {} : { component: wish.component }),
    restarts: Object.fromEntries(Object.entries(declared.components).map(([name, { restart }]) => [name, restart ?? 0])),
  });
  return carry === undefined ? edits : [...edits, { path: ["carry"], value: carry }];
}

const CARRIES: string[] = ["export", "reapply", "refuse"] satisfies Carry[];

/** Whether the scope takes any component to another release. An unknown one is told of later. */
function goesBack(scope: ScopeDefinition | undefined): boolean {
  if (scope === undefined) return true;
  const { release, component, components = {} } = scope.pins;
  return [release, component?.release, ...Object.values(components).map((one) => one.release)].includes("to");
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

function previousRelease(current: string, releases: string[]): string {
  const older = releases.filter((release) => compareReleases(release, current) < 0).sort(compareReleases);
  const previous = older.at(-1);
  if (previous === undefined) throw new UsageError(`there is no release before ${current} in the ledger: name the goal with --to`);
  return previous;
}

/** The newest snapshot taken before the release that is left, with its generation: exact, so that it means the same tomorrow. */
async function snapshotsBefore(
  stack: OpenStack,
  to: string,
  { snapshot: wished, assume = false }: RollbackWish,
): Promise<Record<string, string>> {
  const { reach, snapshots } = await look(stack.site, stack.definition);
  if (reach.kind === "absent") throw new VerbRefusedError(`${stack.stack} is not deployed yet: there is no snapshot to go back to`);
  if (reach.kind === "unreachable" && !assume)
    throw new VerbRefusedError(`it is not known which snapshots exist: ${reach.reason}; nothing was changed`);
  const name = `before-${stack.declared.release}`;
  return Object.fromEntries(
    Object.keys(stack.definition.databases).map((database) => {
      if (wished !== undefined) return [database, wished];
      // A rollback that is gone on with: the release that is left is not pinned any more, but what it goes back to is.
      const pin = stack.pins.data[database];
      if (to === stack.declared.release && pin?.kind === "snapshot") return [database, showDataPin(pin)];
      if (reach.kind === "unreachable") return [database, name];
      const newest = snapshots.filter((snapshot) => snapshot.database === database && snapshot.name === name).at(-1);
      if (newest === undefined) {
        const there = snapshots
          .filter((snapshot) => snapshot.database === database)
          .map((snapshot) => `${snapshot.name}@${snapshot.generation}`);
        throw new VerbRefusedError(
          `there is no snapshot "${name}" of ${database}; there are ${there.join(", ") || "none"}: name one with --snapshot`,
        );
      }
      return [database, `${name}@${newest.generation}`];
    }),
  );
}
