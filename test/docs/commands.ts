/** Commands of backout and Pulumi in texts, and whether they exist with their options. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { parse } from "yaml";

/** A command as its words, without quotes. */
export interface Shown {
  tool: "backout" | "pulumi";
  words: string[];
}

/** Behind npm or npx, or first in its line: elsewhere the word is the subject of a sentence. */
const BEGIN = /(?:\bnpx |\bnpm run (?:-s )?|^\s*(?:\$ )?)(backout|pulumi) (?:-- )?((?:[a-z-][^\s`|&;#>)]*)(?: +[^\s`|&;#>)]+)*)/gm;

/** The commands in lines of a shell. */
export function commandsIn(text: string): Shown[] {
  return [...text.matchAll(BEGIN)].map(([, tool, given]) => {
    const words = given!.split(/ +/).map((word) => word.replaceAll(/["'…,.]+$|^["']/g, ""));
    // `backout pulumi` hands the rest on.
    return words[0] === "pulumi" ? { tool: "pulumi", words: words.slice(1) } : { tool: tool as Shown["tool"], words };
  });
}

/** Every shell line of a workflow. */
export function runsOf(workflow: string): string[] {
  const { jobs } = parse(workflow) as { jobs: Record<string, { steps: { run?: string }[] }> };
  return Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
}

/** Every verb with its options, as the verbs declare them. */
export async function declaredVerbs(project: string): Promise<Command> {
  const program = new Command().enablePositionalOptions();
  for (const path of globSync("scripts/verbs/*.ts", { cwd: project })) {
    if (path.endsWith("/program.ts") || path.endsWith("/release-add.ts")) continue;
    const module = (await import(join(project, path))) as Record<string, unknown>;
    for (const [name, add] of Object.entries(module)) if (/^add[A-Z]/.test(name)) (add as (program: Command) => void)(program);
  }
  program.command("setup").option("--json");
  return program;
}

/** What is wrong with a command of backout, in words; null: nothing. */
export function problemOf(program: Command, [verb, ...rest]: string[]): string | null {
  if (verb === undefined || verb.startsWith("-")) return null;
  const found = program.commands.find((command) => command.name() === verb);
  if (found === undefined) return `there is no verb ${verb}`;
  const below = found.commands.find((command) => command.name() === rest[0]);
  const known = [...(below ?? found).options.flatMap(({ long, short }) => [long, short]), "--help"];
  const unknown = rest.filter((word) => word.startsWith("-")).find((word) => !known.includes(word.split("=")[0]));
  return unknown === undefined ? null : `${verb} has no option ${unknown}`;
}
