/** How a traffic gate is started, for the process supervision. */
import { fileURLToPath } from "node:url";
import { parseGateConfig, type GateConfigInput } from "./config.ts";
import { writeAtomically } from "../processes/atomic-file.ts";

/** Checks and writes the configuration; the arguments that start a gate with it. */
export function gateCommand(configFile: string, config: GateConfigInput): string[] {
  writeAtomically(configFile, `${JSON.stringify(parseGateConfig(config), null, 2)}\n`);
  // The published package holds JavaScript, the repository TypeScript.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return [process.execPath, fileURLToPath(new URL(`./main.${extension}`, import.meta.url)), configFile];
}
