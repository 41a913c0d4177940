/** docs/procedures.md, made from docs/procedures.yaml, the systems' scopes and the stack files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { parse } from "yaml";
import { z } from "zod";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { scopeEdits } from "../../config/scope.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { yamlDiff } from "./diff.ts";

const procedureSchema = z.strictObject({
  procedure: z.string(),
  scope: z.string().optional(),
  service: z.string().optional(),
  /** Pins that stand before, by path with dots: what the procedure takes away. */
  given: z.record(z.string(), z.unknown()).optional(),
  /** Arguments of the scope's repair. */
  with: z.record(z.string(), z.string()).optional(),
  /** Scope that has gone before. */
  after: z.string().optional(),
  /** Pins by path with dots; null removes one. */
  pins: z.record(z.string(), z.unknown()).optional(),
  /** Verb and arguments that change no pin. */
  run: z.string().optional(),
});

export type Procedure = z.infer<typeof procedureSchema>;

export function readProcedures(project: string): Record<string, Procedure[]> {
  return z.record(z.string(), z.array(procedureSchema)).parse(parse(readFileSync(join(project, "docs", "procedures.yaml"), "utf8")));
}

/** Scopes that no procedure names. */
export function forgottenScopes(definition: SystemDefinition, procedures: readonly Procedure[]): string[] {
  return Object.keys(definition.scopes).filter((name) => !procedures.some(({ scope }) => scope === name));
}

/** The stack file with the newer release in place. */
export function broken(definition: SystemDefinition, stack: string): string {
  return editPins(stack, [{ path: ["release"], value: definition.drill.from }]);
}

function scopeText(
  definition: SystemDefinition,
  text: string,
  scope: string,
  service?: string,
  given: Record<string, string> = {},
): string {
  const { from, to } = definition.drill;
  const pins = definition.scopes[scope]?.pins;
  const block = pins?.release === "to" ? { release: from, incident: "INCIDENT-7" } : null;
  const snapshots = Object.fromEntries(Object.keys(definition.databases).map((database) => [database, `before-${from}@1`]));
  const at = "2026-01-01T03:00:00Z";
  return editPins(
    text,
    scopeEdits(definition, { scope, to, snapshots, with: given, block, at, ...(service === undefined ? {} : { service }) }),
  );
}

/** The exact lines a procedure changes in the stack file; empty: none. */
export function diffOf(definition: SystemDefinition, stack: string, procedure: Procedure): string[] {
  const { scope, service, given, after, pins } = procedure;
  const start = editPins(broken(definition, stack), pinEdits(given ?? {}));
  if (scope !== undefined) return yamlDiff(start, scopeText(definition, start, scope, service, procedure.with));
  if (pins === undefined) return [];
  const before = after === undefined ? start : scopeText(definition, start, after);
  return yamlDiff(before, editPins(before, pinEdits(pins)));
}

function pinEdits(pins: Record<string, unknown>): PinEdit[] {
  return Object.entries(pins).map(([path, value]): PinEdit => {
    const [key, ...rest] = path.split(".") as [string, ...string[]];
    return { path: [key, ...rest], value: value === null ? undefined : value };
  });
}

export interface Described {
  definition: SystemDefinition;
  /** Text of its stack file. */
  stack: string;
  procedures: Procedure[];
}

/** The page, as it has to be in docs/procedures.md. */
export async function proceduresPage(systems: readonly Described[]): Promise<string> {
  const parts = [
    "# The manuals' procedures and their pins",
    "",
    "<!-- Made by test/docs/procedures.test.ts from docs/procedures.yaml and the systems' scopes. BACKOUT_WRITE_DOCS=1 writes it anew. -->",
    "",
    "`backout rollback --scope <scope>` writes exactly these lines into the stack file, where the newer release runs and its incident is INCIDENT-7; by " +
      "hand they do the same. `<…>` is what only the moment knows.",
  ];
  for (const system of systems) parts.push("", ...section(system));
  return format(parts.join("\n"), { parser: "markdown", printWidth: 140 });
}

function section({ definition, stack, procedures }: Described): string[] {
  const { name, title, drill, scopes } = definition;
  const diffs = new Map<string, string[]>();
  const rows = procedures.map((procedure) => {
    const { scope, service, run } = procedure;
    const label = scope === undefined ? slug(procedure.procedure) : [scope, service].filter((part) => part !== undefined).join(" ");
    if (run === undefined) diffs.set(label, diffOf(definition, stack, procedure));
    const minutes = scope === undefined ? undefined : (scopes[scope]?.budgetSeconds ?? 0) / 60;
    const how =
      run !== undefined
        ? `\`backout ${run}\``
        : scope === undefined
          ? "by hand"
          : `\`--scope ${scope}${service === undefined ? "" : ` --service ${service}`}\``;
    const link = run === undefined ? `[diff](#${slug(`${name} ${label}`)})` : "no pin changes";
    return `| ${procedure.procedure} | ${how} | ${minutes === undefined ? "" : inWords(minutes)} | ${link} |`;
  });
  return [
    `## ${title}`,
    "",
    `From ${drill.from} to ${drill.to}; [stack file](../stacks/Pulumi.${name}.yaml), [more about the system](${name}.md).`,
    "",
    "| procedure | how | budget | pins |",
    "| --- | --- | --- | --- |",
    ...rows,
    ...[...diffs].flatMap(([label, lines]) => [
      "",
      `### ${name} ${label}`,
      "",
      "```diff",
      ...(lines.length > 0 ? lines : ["  (nothing)"]),
      "```",
    ]),
  ];
}

function inWords(minutes: number): string {
  return minutes >= 120 && minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.round(minutes * 10) / 10} min`;
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .trim()
    .replaceAll(/\s+/g, "-");
