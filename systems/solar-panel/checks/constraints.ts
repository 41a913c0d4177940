/** Constraints match the pins, each by its own name, and every drop is recorded. */
import { check, failed, passed } from "../../kit/outcome.ts";
import { CONSTRAINTS } from "../constraints.ts";
import { inCatalogue, solar } from "./inspect.ts";

export const constraintsAsDeclared = check(
  "constraints-as-declared",
  "Each constraint is in pg_constraint, or absent, as declared",
  async (context) => {
    const database = await solar(context);
    const wrong: string[] = [];
    const counted = { enforced: 0, unvalidated: 0, dropped: 0 };
    for (const [name, { table, kind }] of Object.entries(CONSTRAINTS)) {
      const declared = context.constraints?.[name] ?? "enforced";
      const found = (await inCatalogue(database, table, name)) ?? "dropped";
      if (found !== declared && !(kind === "trigger" && found === "enforced" && declared === "unvalidated"))
        wrong.push(`${name} on ${table} is ${found === "dropped" ? "absent" : `present (${found})`}, declared is ${declared}`);
      counted[declared] += 1;
    }
    if (wrong.length > 0) return failed(wrong.join("; "));
    return passed(`${counted.enforced} enforced, ${counted.unvalidated} unvalidated, ${counted.dropped} dropped, each by its name`);
  },
);

export const dropsRecorded = check(
  "drops-recorded",
  "Every dropped constraint is offered for recovery, by table and name",
  async (context) => {
    const database = await solar(context);
    const { rows } = await database.query<{ constraint: string; table: string }>(
      `SELECT c.constraint_name AS constraint, c.table_name AS table FROM rollback_config c
     WHERE constraint_state(c.constraint_name, c.table_name) = 'ABSENT' ORDER BY c.rollback_priority, c.drop_order`,
    );
    const offered = await database.query<{ name: string }>(
      "SELECT table_name || '.' || constraint_name AS name FROM constraint_recovery_plan",
    );
    const names = offered.rows.map(({ name }) => name);
    const missing = rows.filter(({ constraint, table }) => !names.includes(`${table}.${constraint}`));
    if (missing.length > 0)
      return failed(
        `${missing.map(({ constraint, table }) => `${constraint} of ${table}`).join(", ")}: dropped, but not in rollback_test_results with PASS`,
      );
    return passed(rows.length === 0 ? "nothing is dropped" : `${names.join(", ")}: lowest risk first`);
  },
);
