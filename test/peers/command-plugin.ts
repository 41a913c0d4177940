/** The provider of @pulumi/command: the real one where this machine has it, a stand-in elsewhere. */
import { join } from "node:path";
import { realPlugin } from "./real-plugin.ts";

const STAND_IN = join(import.meta.dirname, "command");

/** Folder of the stand-in, for `plugins.providers` of a Pulumi.yaml; null: the engine finds the real one, on the PATH or among its plugins. */
export function commandStandIn(): string | null {
  const real = realPlugin({ program: "pulumi-resource-command", folder: "resource-command-v1.2.1", standIn: STAND_IN });
  return real === null ? STAND_IN : null;
}
