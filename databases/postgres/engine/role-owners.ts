/**
 * Whose the roles of a stack are. They are named after system and stack, and a server may have two projects with the same of both: a role carries
 * the id of the stack that made it, in its comment, and one that is another's is not touched.
 */
import type { Client } from "pg";
import { identityAt, isOwnId } from "../../../state/identity.ts";
import { endpointOf, ownerRole, servicesRole, type Site } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { quote } from "../../shared/identifiers.ts";
import { commentOfRole, commentRole, ensureRole, type RoleDeclaration } from "../roles.ts";

/** A role that this stack's would be is another stack's. Nothing was touched. */
export class ForeignRoleError extends Error {
  readonly role: string;
  constructor(role: string, of: string, keptAs: string) {
    super(
      `role ${quote(role)} on the server is that of ${of}: it has that stack's password, and nothing was touched. ` +
        `Set backout:keptAs: ${keptAs} (any name that no other stack on the server has) in the stack file, and run again`,
    );
    this.name = "ForeignRoleError";
    this.role = role;
  }
}

const MARK = /^backout: (stack "[^"]*" of .*) \(([0-9a-f-]{36})\)$/s;

/** Roles of this stack's names that are another's, in words. */
export async function rolesOfOthers(site: Site): Promise<string[]> {
  return withSession(endpointOf(site), "postgres", async (client) => {
    for (const role of rolesOf(site)) {
      const error = await foreignRole(client, site, role);
      if (error !== null) return [error.message];
    }
    return [];
  });
}

/** Makes a role of this stack what it is declared to be. @throws ForeignRoleError */
export async function ensureOwnRole(client: Client, site: Site, role: RoleDeclaration): Promise<void> {
  const error = await foreignRole(client, site, role.name);
  if (error !== null) throw error;
  await ensureRole(client, role);
  await markRole(client, site, role.name);
}

/** Writes down whose it is. Somebody who may not is somebody for whom others made it. */
async function markRole(client: Client, site: Site, role: string): Promise<void> {
  const own = identityAt(site.home);
  if (own === null) return;
  const mark = `backout: stack "${own.stack}" of ${own.project} (${own.id})`;
  const comment = await commentOfRole(client, role);
  // What others wrote there stays theirs.
  if (comment !== mark && (comment === null || MARK.test(comment))) await commentRole(client, role, mark);
}

/** Removes the owner mark of the roles: the stack that deploys next owns them. */
export async function unmarkRoles(client: Client, site: Site): Promise<void> {
  for (const role of rolesOf(site)) if (MARK.test((await commentOfRole(client, role)) ?? "")) await commentRole(client, role, null);
}

const rolesOf = (site: Site): string[] => [servicesRole(site), ownerRole(site)];

async function foreignRole(client: Client, site: Site, role: string): Promise<ForeignRoleError | null> {
  const [, of, id] = MARK.exec((await commentOfRole(client, role)) ?? "") ?? [];
  if (of === undefined || id === undefined || isOwnId(site, id)) return null;
  return new ForeignRoleError(role, of, `${site.name ?? site.stack}-2`);
}
