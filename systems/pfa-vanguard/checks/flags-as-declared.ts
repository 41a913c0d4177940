import { check, failed, passed, skipped } from "../../kit/outcome.ts";

export const flagsAsDeclared = check("flags-as-declared", "Feature flags are as declared", async (context) => {
  const declared = Object.entries(context.flags);
  if (declared.length === 0) return skipped("no flag is declared");
  const database = await context.database("pfa");
  const { rows } = await database.query<{ flag_name: string; enabled: boolean }>("SELECT flag_name, enabled FROM feature_flags");
  const found = new Map(rows.map((row) => [row.flag_name, row.enabled]));
  const wrong = declared.filter(([name, enabled]) => found.get(name) !== enabled);
  if (wrong.length > 0)
    return failed(wrong.map(([name, enabled]) => `${name} is ${found.get(name) ?? "missing"}, declared is ${enabled}`).join("; "));
  return passed(declared.map(([name, enabled]) => `${name} ${enabled ? "on" : "off"}`).join(", "));
});
