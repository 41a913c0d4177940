/** The provider of @pulumi/command: the real one where this machine has it, a stand-in elsewhere. */
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const VERSION = "1.2.1";
const PROGRAM = "pulumi-resource-command";

/** Folder of the stand-in, for `plugins.providers` of a Pulumi.yaml; null: the engine finds the real one, on the PATH or among its plugins. */
export function commandStandIn(): string | null {
  const plugins = join(process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
  const folders = [join(plugins, `resource-command-v${VERSION}`), ...(process.env["PATH"] ?? "").split(delimiter).filter(Boolean)];
  const real = folders.some((folder) => {
    try {
      accessSync(join(folder, PROGRAM), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return real ? null : join(import.meta.dirname, "command");
}
