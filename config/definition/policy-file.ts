/** The policy of a system: `policy.yaml` beside the program, which people who decide can read and change, unless the program has it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { documentOf } from "../stack-text.ts";
import type { Authorisation, PolicyDefinition } from "../system/policy.ts";

/** Where nothing is said, every approver has to agree, and the whole team is notified. */
export type PolicyArgs = Omit<PolicyDefinition, "authorisations"> & {
  authorisations: Record<string, Omit<Authorisation, "agree" | "notify"> & Partial<Authorisation>>;
};

/**
 * The policy with its defaults; undefined: the system has none.
 * @throws StackFileError for a file that is not YAML
 */
export function policyOf(given: PolicyArgs | undefined, folder: string): PolicyDefinition | undefined {
  const policy = given ?? readPolicy(join(folder, "policy.yaml"));
  const { authorisations, roles } = policy ?? {};
  if (policy === undefined || typeof authorisations !== "object" || authorisations === null) return policy as PolicyDefinition | undefined;
  const complete = Object.entries(authorisations).map(([name, own]): [string, Authorisation] => [
    name,
    { agree: "all", notify: roles ?? [], ...own },
  ]);
  return { ...policy, authorisations: Object.fromEntries(complete) };
}

/** Its form is validated with the definition's. */
function readPolicy(file: string): PolicyArgs | undefined {
  return existsSync(file) ? (documentOf(readFileSync(file, "utf8"), file).value as PolicyArgs) : undefined;
}
