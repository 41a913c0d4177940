/** The policy of a system: `policy.yaml` beside the program, which people who decide can read and change, unless the program has it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, ConfigErrors } from "../errors.ts";
import { documentOf } from "../stack-text.ts";
import type { Authorisation, PolicyDefinition } from "../system/policy.ts";
import { UNDER } from "./rule.ts";

const FILE = "policy.yaml";
/** Where errors of the definition's validation place it. */
const UNDER_POLICY = `${UNDER}policy`;

/** Where nothing is said, every approver has to agree, and the whole team is notified. */
export type PolicyArgs = Omit<PolicyDefinition, "authorisations"> & {
  authorisations: Record<string, Omit<Authorisation, "agree" | "notify"> & Partial<Authorisation>>;
};

/**
 * The policy with its defaults; undefined: the system has none.
 * @throws StackFileError for a file that is not YAML
 */
export function policyOf(given: PolicyArgs | undefined, folder: string): PolicyDefinition | undefined {
  const policy = given ?? readPolicy(join(folder, FILE));
  const { authorisations, roles } = policy ?? {};
  if (policy === undefined || typeof authorisations !== "object" || authorisations === null) return policy as PolicyDefinition | undefined;
  const complete = Object.entries(authorisations).map(([name, own]): [string, Authorisation] => [
    name,
    { agree: "all", notify: roles ?? [], ...own },
  ]);
  return { ...policy, authorisations: Object.fromEntries(complete) };
}

/** Its form is validated with the definition's. Without content it is none. */
function readPolicy(file: string): PolicyArgs | undefined {
  return existsSync(file) ? ((documentOf(readFileSync(file, "utf8"), file).value as PolicyArgs | null) ?? undefined) : undefined;
}

/** What `check` returns. Its errors on the policy name the file. @throws ConfigErrors */
export function inPolicyFile<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    throw new ConfigErrors(error.errors.map(ofFile));
  }
}

function ofFile(error: ConfigError): ConfigError {
  const { key, value, allowed } = error;
  const inside = key === UNDER_POLICY ? "" : key.startsWith(`${UNDER_POLICY}.`) ? `: ${key.slice(UNDER_POLICY.length + 1)}` : null;
  return inside === null
    ? error
    : new ConfigError(`${FILE}${inside}`, value, `${allowed}; correct it, or rename the file if it is no policy of the system`);
}
