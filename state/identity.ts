/**
 * Which stack a state belongs to. A stack has an id, created once and kept in its home, in its state beside the data and in Pulumi's state:
 * names of stacks and folders change, and a second clone has the same ones. The state of another stack is never changed.
 */
import { RefusedError } from "../config/errors.ts";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { quoted, upCommand } from "../config/commands.ts";
import type { Site } from "../config/site.ts";
import { sharesKeys } from "../config/stack-keys.ts";
import { writeAtomically } from "../processes/atomic-file.ts";
import type { StateStore } from "../config/record.ts";

export interface Identity {
  id: string;
  stack: string;
  /** Name of its home and roles. */
  name: string;
  system: string;
  project: string;
  home: string;
  host: string;
  /** ISO 8601. */
  since: string;
}

/** In the state. After `destroy` the state belongs to no stack until the next deployment. */
export interface Claim extends Identity {
  releasedAt?: string;
}

const KEY = "stack";

/** The state beside the data belongs to another stack, or this folder is not the stack's home. Nothing was changed. */
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
    `the databases of ${site.stack} belong to stack "${owner.stack}" of ${owner.project} on ${owner.host}, since ${owner.since}: nothing was changed. ` +
      `Work there; or, if that stack is gone, end its services, set backout:takeOver: ${owner.id}${name} here, and run the command again`,
    owner,
  );
}

/** The engine knows this stack by the id of its owner: only the home here is of the time before it was destroyed. */
function outdated(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `${site.home} is of the time before stack "${site.stack}" was destroyed and deployed again in ${owner.project} on ${owner.host}, since ${owner.since}: nothing was changed. ` +
      `Move it away and update anew, which brings the keys of now: \`mv ${quoted(site.home)} ${quoted(`${site.home}.old`)} && ${upCommand(site)}\``,
    owner,
  );
}

function renamed(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `stack "${site.stack}" has its roles and its home ${owner.home} under the name "${owner.name}": nothing was changed. Set backout:keptAs: ${owner.name} in its stack file, and run the command again`,
    owner,
  );
}

function elsewhere(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `stack "${site.stack}" has its home, with its data, in ${owner.home}: nothing was changed. Work in ${owner.project}, or set BACKOUT_HOME=${owner.home} here, and run the command again`,
    owner,
  );
}

function copied(site: Site, owner: Identity): ForeignStackError {
  return new ForeignStackError(
    `${site.home} is a copy of ${owner.home}, where stack "${owner.stack}" has its gate and services: nothing was changed. ` +
      `Work there, or move that folder away; or, to use the copy as a separate stack, give it other ports, set backout:takeOver: ${owner.id} here, and run the command again`,
    owner,
  );
}

const nameOf = ({ name, stack }: Site): string => name ?? stack;

function identityFile(home: string): string {
  return join(home, "stack.json");
}

/** The id in the stack's home; null: none. */
export function identityAt(home: string): Identity | null {
  return existsSync(identityFile(home)) ? (JSON.parse(readFileSync(identityFile(home), "utf8")) as Identity) : null;
}

const remembered = new Map<string, string>();

/** The id in Pulumi's state, for a machine whose home has none. */
export function rememberId(home: string, id: string): void {
  remembered.set(home, id);
}

function idsOf(site: Site): (string | undefined)[] {
  return [identityAt(site.home)?.id, remembered.get(site.home)];
}

const inEngine = new Map<string, string>();

/** The id in Pulumi's state, whatever the home says. */
export function engineKnows(home: string, id: string): void {
  inEngine.set(home, id);
}

/** Whether this id is the stack's own, or one that it may take over (`takeOver`). */
export function isOwnId(site: Site, id: string): boolean {
  return idsOf(site).includes(id) || site.takeOver === id;
}

/** Creates the stack's id if it has none, and records its home. */
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

/** Whether the home recorded in this home's file is another folder that also exists. */
function isCopy(site: Site, known: Identity | null): boolean {
  if (known === null || known.home === site.home || identityAt(known.home)?.id !== known.id) return false;
  const [here, there] = [statSync(site.home), statSync(known.home)];
  return here.ino !== there.ino || here.dev !== there.dev;
}

/**
 * Requires that this is the stack's home. @param before its home at the last deployment, from Pulumi's state
 * @throws ForeignStackError
 */
export function requireHome(site: Site, before?: Site): void {
  const known = identityAt(site.home);
  if (isCopy(site, known) && site.takeOver !== known!.id) throw copied(site, known!);
  if (before === undefined || known !== null || before.home === site.home) return;
  const left = identityAt(before.home);
  // Under its own name it is another clone's, or one that was moved: with the data on a server of its own the stack goes on here.
  if (left !== null && left.name !== nameOf(site)) throw renamed(site, left);
  if (left !== null && !sharesKeys(site)) throw elsewhere(site, left);
}

/**
 * Finds a renamed stack: it has no home, and the project has the home of a stack without a stack file.
 * @param declared names of the stacks with a stack file
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

/** @throws ForeignStackError if the state belongs to another stack, or to this one under another name */
export async function requireOwn(state: StateStore, site: Site): Promise<void> {
  const claim = await state.kept<Claim>(KEY);
  if (claim === null || claim.releasedAt !== undefined) return;
  if (!isOwnId(site, claim.id)) throw inEngine.get(site.home) === claim.id ? outdated(site, claim) : foreign(site, claim);
  if (claim.name !== nameOf(site)) throw renamed(site, claim);
}

/**
 * Records the owner of the state; called with its lock held. @returns whether it belonged to another stack before, named by `takeOver`
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

/** Where the stack was updated before, if that was another machine; null: here, or nowhere. */
export async function otherMachine(state: StateStore): Promise<Claim | null> {
  const claim = await state.kept<Claim>(KEY);
  return claim === null || claim.releasedAt !== undefined || claim.host === hostname() ? null : claim;
}

/** After `destroy` the state belongs to no stack: the next deployment, from any project, becomes its owner. */
export async function releaseRecord(state: StateStore): Promise<void> {
  const claim = await state.kept<Claim>(KEY);
  if (claim !== null) await state.keep(KEY, { ...claim, releasedAt: new Date().toISOString() });
}
