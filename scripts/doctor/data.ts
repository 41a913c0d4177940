/** The databases of a stack: reached, version, rights, tools, room, what is unfinished, and what an update would be refused for. Changes nothing. */
import { existsSync } from "node:fs";
import { upCommand } from "../../config/commands.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { observeServer } from "../../databases/embedded-server.ts";
import { examineServer } from "../../databases/examine.ts";
import { enginesOf } from "../../databases/registry.ts";
import { requireHome } from "../../processes/room.ts";
import { inspect, type Facts } from "../../rollout/inspect.ts";
import { previewOf } from "../pulumi/preview.ts";
import { standingOf } from "../pulumi/standing.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { failure, failures, ok, problemOf, warning, type Finding } from "./finding.ts";

export async function dataFindings(site: Site, definition: SystemDefinition): Promise<Finding[]> {
  const home = await problemOf(() => requireHome(site.home));
  const space = home === null ? ok("disk space", `enough for a rollout in ${site.home}`) : failure("disk space", home);
  const server = site.server === undefined ? [] : await serverFindings(site, definition);
  if (server.some(({ check, status }) => check === "server" && status === "failure")) return [...server, space];
  const facts = await inspect(site, definition);
  if (facts.reach.kind === "unreachable") return [failure("database", facts.reach.reason), ...server, space];
  if (facts.reach.kind === "absent") return [...server, space];
  return [...server, space, ...(await copyFindings(site, definition, facts))];
}

async function serverFindings(site: Site, definition: SystemDefinition): Promise<Finding[]> {
  if (site.server?.embedded === true) {
    const { state } = await observeServer(site);
    if (state === "absent") return [ok("server", `the embedded PostgreSQL is not made yet: \`${upCommand(site)}\` makes it`)];
    if (state !== "running") return [failure("server", "the embedded PostgreSQL is down", upCommand(site))];
  }
  const where = site.server?.embedded === true ? "embedded" : `${site.server?.host ?? ""}:${site.server?.port ?? ""}`;
  try {
    const { version, user, tools, driver, rights } = await examineServer(site, definition);
    const name = site.server?.driver ?? "";
    return [
      ok("server", `PostgreSQL ${version}, ${where}`),
      ...failures("driver", driver, `${name}${tools === null ? "" : `, with pg_dump and pg_restore ${tools}`}`),
      ...(rights.length === 0
        ? [ok("rights", `${user} has what the driver ${name} needs`)]
        : [failure("rights", `${user} lacks rights that the driver ${name} needs`, `as a superuser: ${rights.join("; ")}`)]),
    ];
  } catch (error) {
    return [failure("server", `${where}: ${(error as Error).message}`)];
  }
}

/** A snapshot of every database and its standby copy, as a deployment makes them. */
async function copyFindings(site: Site, definition: SystemDefinition, { databases }: Facts): Promise<Finding[]> {
  const at = { site, definition, state: null };
  const reasons: string[] = [];
  for (const { engine, databases: own } of await enginesOf(at)) {
    const copied = own.filter((database) => databases[database]?.exists === true);
    const problem = await problemOf(() => engine.inspect.requireRoom(at, [...copied, ...copied], []));
    if (problem !== null) reasons.push(problem);
  }
  return failures("standby copies", reasons, "room for a snapshot and a standby copy of every database");
}

/** What is unfinished, and what an update to the pins as they are would be refused for. */
export async function rolloutFindings(stack: OpenStack, known: readonly Finding[]): Promise<Finding[]> {
  const { site } = stack;
  if (!existsSync(site.home)) return [ok("rollout", "not deployed yet"), ...(await planFindings(stack, known))];
  const { last, pending, reach } = await standingOf(stack);
  if (reach.kind === "unreachable") return [];
  const said = last === null ? "not deployed yet" : `rollout ${last.epoch} is ${last.state}`;
  const rollout = pending === null ? ok("rollout", said) : warning("rollout", pending.title, pending.command);
  return [rollout, ...(await planFindings(stack, known))];
}

async function planFindings(stack: OpenStack, known: readonly Finding[]): Promise<Finding[]> {
  const { refused, drifted, unknown } = await previewOf(stack, stack, false);
  if (unknown !== null) return [];
  // What another check has said is not said twice.
  const reasons = refused.filter((reason) => !known.some(({ detail }) => detail === reason));
  return [
    ...(refused.length > 0 && reasons.length === 0 ? [] : failures("plan", reasons, "an update to these pins would not be refused")),
    ...drifted.map((line) => warning("drift", line, upCommand(stack.site))),
  ];
}
