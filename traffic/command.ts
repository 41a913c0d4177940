/** The start command of a traffic gate, for the process supervision. */
import { fileURLToPath } from "node:url";
import { parseGateConfig, type GateConfigInput } from "./config.ts";
import { writeAtomically } from "../processes/atomic-file.ts";

/** Validates and writes the configuration; returns the arguments that start a gate with it. */
export function gateCommand(configFile: string, config: GateConfigInput): string[] {
  writeAtomically(configFile, `${JSON.stringify(parseGateConfig(config), null, 2)}\n`);
  // The published package holds JavaScript, the repository TypeScript.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return [process.execPath, fileURLToPath(new URL(`./main.${extension}`, import.meta.url)), configFile];
}
