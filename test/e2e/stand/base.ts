/** What every part of a stand works on, and what they wait with. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Site } from "../../../config/site.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { EphemeralStack } from "../../../drill/ephemeral-stack.ts";
import type { Engine } from "../../../scripts/pulumi/environment.ts";

export const PROJECT = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
export const LIVE = "pfa";

export interface Base {
  stack: EphemeralStack;
  site: Site;
  definition: SystemDefinition;
  folder: string;
  engine: Engine;
}

export async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a state that must come; the test's own limit ends it. */
export async function until(what: string, there: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
  const startedAt = Date.now();
  while (!(await there())) {
    if (Date.now() - startedAt > limitMs) throw new Error(`after ${limitMs / 1000} s still not so: ${what}`);
    await pause(25);
  }
}
