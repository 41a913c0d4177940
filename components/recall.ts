/** A machine on which the stack was never updated: what the other ones generated comes from the engine's state. */
import { spawnSync } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { upCommand } from "../config/commands.ts";
import { identityAt } from "../state/identity.ts";
import { lacksKeys, putKeys, recalledFrom, sharesKeys, type Recalled, type StackKeys } from "../config/stack-keys.ts";
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
    const { status, stdout, stderr, error } = spawnSync(engineHere(), given, options);
    if (status !== 0) throw new NotRecalledError(site.stack, error?.message ?? stderr);
    return recalledFrom(stdout);
  };
  // A new stack has none, and nobody is asked for its passphrase.
  const found = ask();
  const shown = found.hidden ? ask("--show-secrets").keys : found.keys;
  takeKeys(site, found, shown);
}

/**
 * Writes the keys that this machine lacks. Refuses to go on without where another machine has some.
 * @param shown keys that the engine's state gave
 * @throws NotRecalledError
 */
export function takeKeys(site: Site, { hidden, unkept }: Recalled, shown: StackKeys | null): void {
  if (hidden && shown === null) throw new NotRecalledError(site.stack, "its keys are not shown");
  if (unkept && identityAt(site.home) === null && site.takeOver === undefined)
    throw new NotRecalledError(
      site.stack,
      `it was deployed by an earlier version, which kept them on its machine only: run \`${upCommand(site)}\` there once`,
    );
  if (shown !== null) putKeys(site, shown);
}

/** The engine that runs this program lies beside its language host; one that was started by its path is not on the PATH. */
function engineHere(): string {
  try {
    const beside = join(dirname(readlinkSync(`/proc/${process.ppid}/exe`)), "pulumi");
    if (existsSync(beside)) return beside;
  } catch {
    // Not to be seen: the PATH decides.
  }
  return "pulumi";
}
