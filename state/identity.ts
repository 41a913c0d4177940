/**
 * Whose a state is. A stack is known by an id, made once and kept in its home, in its record beside the data and in the engine's state:
 * names of stacks and folders change, and a second clone has the same ones. A record that is another stack's is not touched.
 */
import { RefusedError } from "../config/errors.ts";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Site } from "../config/site.ts";
import { writeAtomically } from "../processes/atomic-file.ts";
import type { StateStore } from "../config/record.ts";

export interface Identity {
  id: string;
  stack: string;
  /** Under which its home and roles are kept. */
  name: string;
  system: string;
  project: string;
  home: string;
  host: string;
  /** ISO 8601. */
  since: string;
}

/** In the record. After `destroy` it is nobody's until the next deployment. */
export interface Claim extends Identity {
  releasedAt?: string;
}

const KEY = "stack";

/** The record beside the data is not this stack's, or this folder is not where the stack lives. Nothing was touched. */
export class ForeignStackError extends RefusedError {
  readonly owner: Identity;
  constructor(message: string, owner: Identity) {
    super(message);
    this.name = "ForeignStackError";
    this.owner = owner;
  }
}

function foreign(site: Site, owner: Identity): ForeignStackError {
  const name = owner.name === nameOf(site) ? "" : ` and backout:keptAs: ${owner.name}`;
  return new ForeignStackError(
    `the databases of ${site.stack} belong to stack "${owner.stack}" of ${owner.project} on ${owner.host}, since ${owner.since}: nothing was touched. ` +
      `Work there; or, where that one is gone, end its services, set backout:takeOver: ${owner.id}${name} here, and run again`,
    owner,
  );
}

function renamed(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `stack "${site.stack}" is kept under the name "${owner.name}" (its roles, and its home ${owner.home}): nothing was touched. Set backout:keptAs: ${owner.name} in its file, and run again`,
    owner,
  );
}

function copied(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `${site.home} is a copy of ${owner.home}, where stack "${owner.stack}" has its gate and services: nothing was touched. ` +
      `Work there, or move that folder away; or, to make a stack of its own from the copy, give it ports of its own, set backout:takeOver: ${owner.id} here, and run again`,
    owner,
  );
}

const nameOf = ({ name, stack }: Site): string => name ?? stack;

function identityFile(home: string): string {
  return join(home, "stack.json");
}

/** The id that the stack's home knows; null where it knows none. */
export function identityAt(home: string): Identity | null {
  return existsSync(identityFile(home)) ? (JSON.parse(readFileSync(identityFile(home), "utf8")) as Identity) : null;
}

const remembered = new Map<string, string>();

/** The id that the engine's state knows, for a machine whose home does not. */
export function rememberId(home: string, id: string): void {
  remembered.set(home, id);
}

function idsOf(site: Site): (string | undefined)[] {
  return [identityAt(site.home)?.id, remembered.get(site.home)];
}

/** Whether what carries this id is the stack's: its own, or one that it was told to take over. */
export function isOwnId(site: Site, id: string): boolean {
  return idsOf(site).includes(id) || site.takeOver === id;
}

/** Makes the stack's id where it has none, and keeps where it lives now. */
export function ownIdentity(site: Site): Identity {
  const before = identityAt(site.home);
  const taken = isCopy(site, before) && site.takeOver === before?.id;
  const now: Identity = {
    id: (taken ? undefined : (before?.id ?? remembered.get(site.home))) ?? randomUUID(),
    stack: site.stack,
    name: nameOf(site),
    system: site.system,
    project: site.project,
    home: realHome(site.home),
    host: hostname(),
    since: (taken ? undefined : before?.since) ?? new Date().toISOString(),
  };
  if (JSON.stringify(before) !== JSON.stringify(now)) writeAtomically(identityFile(site.home), `${JSON.stringify(now, null, 2)}\n`, 0o600);
  return now;
}

function realHome(home: string): string {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return realpathSync(home);
}

/** Whether the home that is written in this one's file is another folder that is there, too. */
function isCopy(site: Site, known: Identity | null): boolean {
  if (known === null || known.home === site.home || identityAt(known.home)?.id !== known.id) return false;
  const [here, there] = [statSync(site.home), statSync(known.home)];
  return here.ino !== there.ino || here.dev !== there.dev;
}

/**
 * Whether the stack lives here. @param before where it lived when it was last deployed, as the engine's state knows
 * @throws ForeignStackError
 */
export function requireHome(site: Site, before?: Site): void {
  const known = identityAt(site.home);
  if (isCopy(site, known) && site.takeOver !== known!.id) throw copied(site, known!);
  if (before === undefined || known !== null || before.home === site.home) return;
  const left = identityAt(before.home);
  if (left !== null) throw renamed(site, left);
}

/**
 * A stack without a home where the project keeps one of a stack that has no file any more: it was renamed.
 * @param declared names of the stacks that have a file
 * @throws ForeignStackError
 */
export function requireNotRenamed(site: Site, declared: readonly string[]): void {
  const folder = dirname(site.home);
  if (identityAt(site.home) !== null || !existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const left = identityAt(join(folder, name));
    if (left !== null && left.system === site.system && left.project === site.project && !declared.includes(left.stack))
      throw renamed(site, left);
  }
}

/** @throws ForeignStackError where the record is another stack's, or kept under another name */
export async function requireOwn(state: StateStore, site: Site): Promise<void> {
  const claim = await state.kept<Claim>(KEY);
  if (claim === null || claim.releasedAt !== undefined) return;
  if (!isOwnId(site, claim.id)) throw foreign(site, claim);
  if (claim.name !== nameOf(site)) throw renamed(site, claim);
}

/**
 * Writes whose the record is; called with its lock held. @returns whether it was another stack's before, which was said to be taken over
 * @throws ForeignStackError
 */
export async function claimRecord(state: StateStore, site: Site): Promise<boolean> {
  requireHome(site);
  await requireOwn(state, site);
  const claim = await state.kept<Claim>(KEY);
  const now = ownIdentity(site);
  const since = claim?.id === now.id && claim.releasedAt === undefined ? claim.since : now.since;
  if (JSON.stringify(claim) !== JSON.stringify({ ...now, since })) await state.keep(KEY, { ...now, since });
  return claim !== null && claim.releasedAt === undefined && claim.id !== now.id;
}

/** What was destroyed is nobody's: the next deployment, from wherever, makes it its own. */
export async function releaseRecord(state: StateStore): Promise<void> {
  const claim = await state.kept<Claim>(KEY);
  if (claim !== null) await state.keep(KEY, { ...claim, releasedAt: new Date().toISOString() });
}
