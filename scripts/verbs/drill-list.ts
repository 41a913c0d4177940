/** What can be drilled: stacks of the project by system, their faults and scopes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suggestion, UsageError } from "../../config/errors.ts";
import { stackFolder } from "../../config/stack-folder.ts";
import { configOf } from "../../config/stack-text.ts";
import { openStack, openSystem, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { print } from "../pulumi/outcome.ts";

/** The first stack of each system that the project declares, by system; the program tells the name of its own. */
export async function declaredSystems(project: string): Promise<{ stack: string; system: string }[]> {
  const folder = stackFolder(project);
  const names = existsSync(folder) ? readdirSync(folder).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []) : [];
  const systems = new Map<string, string>();
  let program: string | null = null;
  for (const stack of names.sort()) {
    const file = join(folder, `Pulumi.${stack}.yaml`);
    const named = configOf(readFileSync(file, "utf8"), file)["backout:system"];
    const system = typeof named === "string" ? named : (program ??= (await openSystem(stackFile(stack, project))).definition.name);
    if (!systems.has(system)) systems.set(system, stack);
  }
  return [...systems].map(([system, stack]) => ({ system, stack }));
}

/** The default system: `backout.system` in the project's package.json, else the first declared one. */
export async function defaultSystem(project: string): Promise<string | undefined> {
  const file = join(project, "package.json");
  if (existsSync(file)) {
    const { backout } = JSON.parse(readFileSync(file, "utf8")) as { backout?: { system?: string } };
    if (backout?.system !== undefined) return backout.system;
  }
  return (await declaredSystems(project))[0]?.system;
}

/** The stack of a system. @param wanted default: the default system */
export async function stackOf(project: string, system: string | undefined): Promise<OpenStack> {
  const systems = await declaredSystems(project);
  const wanted = system ?? (await defaultSystem(project));
  const found = systems.find((one) => one.system === wanted);
  const known = systems.map((one) => one.system);
  if (found === undefined)
    throw new UsageError(
      wanted === undefined
        ? `no stack is declared in ${stackFolder(project)}`
        : `no stack of "${wanted}" in ${stackFolder(project)}, only of ${known.join(", ") || "none"}${suggestion(wanted, known)}`,
    );
  return openStack(stackFile(found.stack, project));
}

/** One system, or all. */
export async function stacksOf(project: string, system: string | undefined): Promise<OpenStack[]> {
  if (system !== undefined) return [await stackOf(project, system)];
  return Promise.all((await declaredSystems(project)).map(({ stack }) => openStack(stackFile(stack, project))));
}

export interface ListedSystem {
  system: string;
  faults: { name: string; title: string; scope: string; default: boolean }[];
  scopes: { name: string; title: string; useWhen: string; budgetSeconds: number }[];
}

export interface Listed {
  systems: ListedSystem[];
  /** What `--all` runs: each fault with its own scope. */
  drills: { system: string; fault: string; scope: string }[];
}

export function listed(stacks: readonly OpenStack[]): Listed {
  const systems = stacks.map(({ definition: { drill, scopes, name } }) => ({
    system: name,
    faults: Object.entries(drill?.faults ?? {}).map(([fault, { title, scope }]) => ({
      name: fault,
      title,
      scope,
      default: fault === drill?.defaultFault,
    })),
    scopes: Object.entries(scopes).map(([scope, { title, useWhen, budgetSeconds }]) => ({ name: scope, title, useWhen, budgetSeconds })),
  }));
  return { systems, drills: systems.flatMap(({ system, faults }) => faults.map(({ name, scope }) => ({ system, fault: name, scope }))) };
}

export function tellList({ systems, drills }: Listed): void {
  const lines: string[] = [];
  for (const { system, faults, scopes } of systems) {
    lines.push(`Faults of ${system}:`);
    for (const { name, title, scope, default: usual } of faults)
      lines.push(`  ${name.padEnd(24)} ${scope.padEnd(14)} ${title}${usual ? " (default)" : ""}`);
    lines.push(`Scopes of ${system}:`);
    for (const { name, title, budgetSeconds } of scopes)
      lines.push(`  ${name.padEnd(24)} ${`${Math.round(budgetSeconds / 6) / 10} min`.padStart(14)} ${title}`);
  }
  lines.push(`${drills.length} drills with --all`);
  print(`${lines.join("\n")}\n`);
}
