/** A machine on which the stack was never updated: what the other ones generated comes from the engine's state. */
import { spawnSync } from "node:child_process";
import { lacksKeys, putKeys, recalledFrom, sharesKeys, type Recalled } from "../config/stack-keys.ts";
import { RefusedError } from "../config/errors.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";

const LIMIT_MS = 60_000;

/** The engine does not say what its state holds of the stack. */
export class NotRecalledError extends RefusedError {
  readonly of: string;
  constructor(stack: string, reason: string) {
    super(
      `what the backend keeps of stack ${stack} cannot be read on this machine, which has not updated it yet: ${reason.trim()}. ` +
        "Nothing was changed. Set PULUMI_CONFIG_PASSPHRASE, or whatever else `pulumi stack export --show-secrets` asks for, and run the same command again",
    );
    this.name = "NotRecalledError";
    this.of = stack;
  }
}

/**
 * Fetches what this machine lacks. The program waits for it: everything that it declares is made with these keys.
 * @param project folder of Pulumi.yaml
 * @param stack its full name
 * @throws NotRecalledError
 */
export function recallKeys(site: Site, definition: SystemDefinition, project: string, stack: string): void {
  if (!sharesKeys(site) || !lacksKeys(site, definition)) return;
  const ask = (...more: string[]): Recalled => {
    const given = ["stack", "export", "--non-interactive", "--stack", stack, ...more];
    const options = { cwd: project, encoding: "utf8", maxBuffer: 2 ** 30, timeout: LIMIT_MS } as const;
    const { status, stdout, stderr, error } = spawnSync("pulumi", given, options);
    if (status !== 0) throw new NotRecalledError(site.stack, error?.message ?? stderr);
    return recalledFrom(stdout);
  };
  // A new stack has none, and nobody is asked for its passphrase.
  const { hidden, keys } = ask();
  const shown = hidden ? ask("--show-secrets").keys : keys;
  if (shown !== null) putKeys(site, shown);
}
