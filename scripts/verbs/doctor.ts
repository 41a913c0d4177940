/** `backout doctor`: looks at machine, project, stack and databases, says what is missing and how to fix it, and changes nothing. */
import type { Command } from "commander";
import { commandOf } from "../../config/commands.ts";
import { ConfigErrors, NAMESPACE } from "../../config/errors.ts";
import { programFile } from "../../config/program.ts";
import { dataFindings, rolloutFindings } from "../doctor/data.ts";
import { failure, ok, warning, type Finding } from "../doctor/finding.ts";
import { machineFindings } from "../doctor/machine.ts";
import { pinFindings, siteFindings } from "../doctor/system.ts";
import { finish, painted, print, type CommonOptions } from "../pulumi/outcome.ts";
import { hasLedger, openStack, stackFile, type OpenStack, type OpenSystem, type StackFile } from "../pulumi/stack.ts";
import { openUnreleased } from "../pulumi/unreleased.ts";

export interface Diagnosis {
  stack: string;
  /** What keeps everything else from being known comes first. */
  findings: Finding[];
}

export async function doctor(options: CommonOptions): Promise<Diagnosis> {
  const found = stackFile(options.stack);
  const machine = await machineFindings(found.project);
  const { system, stack, findings } = await read(found);
  if (system === null) return { stack: found.stack, findings: [...findings, ...machine] };
  const { site, definition } = system;
  const data = await dataFindings(site, definition);
  const declared = [...(await siteFindings(site, definition)), ...(stack === null ? [] : await pinFindings(stack))];
  const all = [...data, ...findings, ...machine, ...declared];
  const rollout = stack === null ? [] : await rolloutFindings(stack, all);
  const first = ({ check, status }: Finding): boolean => status === "failure" && (check === "server" || check === "database");
  return {
    stack: found.stack,
    findings: [...data.filter(first), ...findings, ...machine, ...declared, ...data.filter((one) => !first(one)), ...rollout],
  };
}

interface Read {
  /** Null: the stack file or the definition cannot be read. */
  system: OpenSystem | null;
  /** Null: the pins cannot be resolved. */
  stack: OpenStack | null;
  findings: Finding[];
}

async function read(found: StackFile): Promise<Read> {
  let system: OpenSystem;
  try {
    system = await openUnreleased(found, "first");
  } catch (error) {
    return { system: null, stack: null, findings: unread(found, error as Error) };
  }
  const definition = ok("definition", `${system.definition.name}: ${Object.keys(system.definition.services).join(", ")}`);
  if (!hasLedger(found)) {
    const fix = commandOf(found.project, "backout", `release add <name> <folder or image> --stack ${found.stack}`);
    return { system, stack: null, findings: [definition, warning("stack file", "it has no release yet", fix)] };
  }
  try {
    const stack = await openStack(found);
    return { system, stack, findings: [definition, ok("stack file", `pinned to ${stack.config.release}`)] };
  } catch (error) {
    return { system, stack: null, findings: [definition, ...unread(found, error as Error)] };
  }
}

/** Either the stack file is wrong, or the definition, which the program declares or a module exports. */
function unread({ project, file }: StackFile, error: Error): Finding[] {
  const ofDefinition = error instanceof ConfigErrors && error.errors.every(({ key }) => !key.startsWith(`${NAMESPACE}:`));
  const check = ofDefinition ? "definition" : "stack file";
  const fix = `edit ${ofDefinition ? programFile(project) : file}`;
  return error.message.split("\n").map((reason) => failure(check, reason, fix));
}

function hasFailed({ findings }: Diagnosis): boolean {
  return findings.some(({ status }) => status === "failure");
}

function tell({ stack, findings }: Diagnosis): void {
  const colours = { failure: "red", warning: "yellow", ok: "green" } as const;
  const lines = findings.flatMap(({ check, status, detail, fix }) => [
    `${painted(colours[status], status.padEnd(7))}  ${check}: ${detail.replaceAll("\n", "\n         ")}`,
    ...(fix === null ? [] : [`         fix: ${fix}`]),
  ]);
  const count = (status: Finding["status"]): number => findings.filter((one) => one.status === status).length;
  print(`${[...lines, `${stack}: ${count("failure")} failures, ${count("warning")} warnings, ${count("ok")} ok`].join("\n")}\n`);
}

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("check machine, project, stack file, ports, secrets and databases, each with its fix; changes nothing")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (options: CommonOptions) =>
      finish(
        options.json,
        () => doctor(options),
        tell,
        (diagnosis) => !hasFailed(diagnosis),
      ),
    );
}
