/** State of each constraint: enforced, unless the release in the ledger or the stack's own pin says otherwise. Pure. */
import type { ConstraintState } from "./system/constraint.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { PinEdit } from "./edit.ts";
import { suggestion } from "./errors.ts";
import { own } from "./own.ts";
import type { StackConfig } from "./schema.ts";

type Fail = (key: string, value: unknown, allowed: string) => void;

export function resolveConstraints(config: StackConfig, definition: SystemDefinition, fail: Fail): Record<string, ConstraintState> {
  const described = definition.constraints ?? {};
  const ledger = own(config.releases, config.release)?.constraints ?? {};
  const check = (key: string, states: Record<string, ConstraintState>): void => {
    for (const [name, state] of Object.entries(states)) {
      const reason = refusal(definition, name, state);
      if (reason !== null) fail(`${key}.${name}`, state, reason);
    }
  };
  check(`releases.${config.release}.constraints`, ledger);
  const pinned = Object.fromEntries(
    Object.entries(config.constraints).map(([name, pin]) => [name, typeof pin === "string" ? pin : pin.state]),
  );
  check("constraints", pinned);
  return Object.fromEntries(Object.keys(described).map((name) => [name, own(pinned, name) ?? own(ledger, name) ?? "enforced"]));
}

/** Pinned definitions that replace the former ones, by constraint. */
export function declaredDefinitions(config: StackConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config.constraints).flatMap(([name, pin]) => (typeof pin === "string" ? [] : [[name, pin.definition]])),
  );
}

function refusal(definition: SystemDefinition, name: string, state: ConstraintState): string | null {
  const described = definition.constraints ?? {};
  const constraint = Object.hasOwn(described, name) ? described[name] : undefined;
  const known = Object.keys(described);
  if (constraint === undefined)
    return known.length === 0
      ? `${definition.name} declares no constraints`
      : `${definition.name} has no such constraint, only ${known.join(", ")}${suggestion(name, known)}`;
  if (definition.databases[constraint.database]?.engine === "sqlite")
    return `${constraint.database} is a SQLite database, whose constraints cannot be dropped or added: remove it`;
  if (state === "unvalidated" && (constraint.kind === "unique" || constraint.kind === "primary-key"))
    return `must be \`enforced\` or \`dropped\`: PostgreSQL has no unvalidated ${constraint.kind === "unique" ? "UNIQUE" : "PRIMARY KEY"} constraint`;
  return null;
}

/** The edits a person would make: a pin that only repeats the release is removed, and also the scope, which no longer fits. */
export function constraintEdits(config: StackConfig, changes: Record<string, { state: ConstraintState; definition?: string }>): PinEdit[] {
  if (Object.keys(changes).length === 0) return [];
  const ledger = own(config.releases, config.release)?.constraints ?? {};
  const edits = Object.entries(changes).map(([name, { state, definition }]): PinEdit => {
    if (definition !== undefined) return { path: ["constraints", name], value: { state, definition } };
    return { path: ["constraints", name], value: state === (ledger[name] ?? "enforced") ? undefined : state };
  });
  return [...edits, { path: ["scope"], value: undefined }];
}
