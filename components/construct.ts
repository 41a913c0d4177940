/**
 * Makes a system where a program in Python, Go, C# or YAML declares one: Pulumi calls the provider for it, with the stack's config. The system's
 * resources are declared there as a program of Node declares them.
 */
import { writeFileSync } from "node:fs";
import type { provider } from "@pulumi/pulumi";
import { Output } from "@pulumi/pulumi/output.js";
import { ConfigError, ConfigErrors } from "../config/errors.ts";
import { DESCRIBE_VARIABLE, programFolder, type PlainProgram } from "../config/program.ts";
import { projectAbove } from "../config/stack-folder.ts";
import { definePlain, PLAIN_MODULE } from "./plain.ts";
import * as pulumi from "./pulumi.ts";
import { recallKeys } from "./recall.ts";
import { declaredOf, System } from "./system.ts";

export const SYSTEM_TOKEN = "backout:index:System";

/** Ends a preview that was only to describe the system. */
class DescribedError extends Error {
  constructor() {
    super("the system is described; the preview ends here");
    this.name = "DescribedError";
  }
}

/** @throws ConfigErrors for a system, or a config of the stack, that is wrong */
export function construct(
  name: string,
  type: string,
  inputs: Record<string, unknown>,
  options: pulumi.ComponentResourceOptions,
): Promise<provider.ConstructResult> {
  if (type !== SYSTEM_TOKEN) throw new Error(`backout has no component ${type}; known is ${SYSTEM_TOKEN}`);
  requirePlain(inputs);
  const project = projectAbove(process.cwd());
  const folder = programFolder(project);
  const program: PlainProgram = { name, folder, given: inputs };
  const definition = definePlain(name, inputs, folder);
  const describedFile = process.env[DESCRIBE_VARIABLE];
  if (describedFile !== undefined) {
    writeFileSync(describedFile, JSON.stringify(program));
    throw new DescribedError();
  }
  const declared = declaredOf(definition, folder, { module: PLAIN_MODULE, program });
  recallKeys(declared.site, definition, project, pulumi.fullStackName());
  const { urn, epoch, stackId, data, snapshots, quarantines } = new System(name, definition, options, declared);
  return Promise.resolve({ urn, state: { epoch, stackId, data, snapshots, quarantines } });
}

/** What a system is must be known before anything is made. @throws ConfigErrors */
function requirePlain(inputs: Record<string, unknown>): void {
  const found = outputsIn(inputs, []);
  if (found.length > 0)
    throw new ConfigErrors(
      found.map(
        (path) =>
          new ConfigError(
            path,
            "(an output or a secret)",
            "must be a plain value; name a secret under `secrets` and give its value by the environment",
          ),
      ),
    );
}

function outputsIn(value: unknown, at: string[]): string[] {
  if (Output.isInstance(value)) return [at.join(".")];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => outputsIn(inner, [...at, key]));
}
