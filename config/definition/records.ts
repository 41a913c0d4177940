/** Rules for protections, evidence and completion. */
import type { SystemDefinition } from "../system/definition.ts";
import { EVIDENCE_PLACEHOLDERS } from "../system/evidence.ts";
import { among, filledIn, once, type Fail } from "./rule.ts";

export function wrongProtections({ protections = [], databases, scopes }: SystemDefinition, fail: Fail): void {
  const isDatabase = among(fail, "database", Object.keys(databases));
  const isScope = among(fail, "scope", Object.keys(scopes));
  const ids = protections.map(({ id }) => id);
  once(fail, ids, (index) => `protections.${index}.id`, "each protection needs a unique id");
  protections.forEach(({ database, scopes: own = [] }, index) => {
    isDatabase(`protections.${index}.database`, database);
    own.forEach((scope, at) => isScope(`protections.${index}.scopes.${at}`, scope));
  });
}

export function wrongEvidence({ evidence }: SystemDefinition, fail: Fail): void {
  if (evidence === undefined) return;
  const { anchor, captures } = evidence;
  filledIn(fail, "evidence.anchor", anchor, ["stamp"]);
  const ids = captures.map(({ id }) => id);
  once(fail, ids, (index) => `evidence.captures.${index}.id`, "each capture needs a unique id");
  const files = captures.map(({ of = "back", file }) => `${of} ${file}`);
  captures.forEach(({ file }, index) => {
    filledIn(fail, `evidence.captures.${index}.file`, file, EVIDENCE_PLACEHOLDERS);
    if (files.indexOf(files[index]!) !== index)
      fail(`evidence.captures.${index}.file`, file, "another capture of the same run has this file: use different files");
  });
}

export function wrongCompletion({ completion }: SystemDefinition, fail: Fail): void {
  (completion?.targets ?? []).forEach(({ metric, below, above, atMost }, index) => {
    if (below === undefined && above === undefined && atMost === undefined)
      fail(`completion.targets.${index}`, metric, "must have a limit: below, above or atMost");
  });
}
