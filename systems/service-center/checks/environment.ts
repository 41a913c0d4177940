/** The settings the application really runs with, against the ledger of releases. */
import { createHash } from "node:crypto";
import type { CheckContext } from "../../../config/system/check.ts";
import { ask, login } from "../api.ts";
import { environment, SECRETS } from "../services.ts";
import { DATABASE } from "../database.ts";
import { check, failed, onPhase1, passed } from "./outcome.ts";

interface Setup {
  variables: Record<string, string>;
  database: string;
  role: string;
}

async function setupOf(context: CheckContext): Promise<Setup> {
  return ask<Setup>(context, await login(context), "/api/setup");
}

const KEYS = { NEXT_PUBLIC_SUPABASE_ANON_KEY: SECRETS.anonKey, SUPABASE_SERVICE_ROLE_KEY: SECRETS.serviceKey };

export const environmentVariables = check(
  "environment-variables",
  "Variables named SUPABASE or SETUP are those of the release",
  async (context) => {
    const { variables } = await setupOf(context);
    const declared = environment({ config: context.configuration?.("app") ?? {}, secret: (name) => context.secret(name) });
    const names = [...new Set([...Object.keys(declared), ...Object.keys(variables)])].filter(
      (name) => /SUPABASE|SETUP/.test(name) && !(name in KEYS),
    );
    const wrong = names.filter((name) => declared[name] !== variables[name]).sort();
    if (names.length === 0) return failed("the release declares no variable named SUPABASE or SETUP");
    if (wrong.length > 0)
      return failed(wrong.map((name) => `${name} is ${variables[name] ?? "not set"}, declared is ${declared[name] ?? "none"}`).join("; "));
    return passed(`${names.sort().join(", ")} are as declared`);
  },
);

export const environmentConnection = check(
  "environment-connection",
  "The connection string points to the live database",
  async (context) => {
    const { database, role } = await setupOf(context);
    const { rows } = await (
      await context.database(DATABASE)
    ).query<{ name: string; own: string }>("SELECT current_database() AS name, current_user AS own");
    const { name, own } = rows[0]!;
    if (database !== name) return failed(`the application is connected to ${database}, live is ${name}`);
    if (role === own) return failed(`the application is connected as ${role}, the administrative role`);
    return passed(`connected to ${database} as ${role}`);
  },
);

export const environmentKeys = check("environment-keys", "The API keys are the valid ones", async (context) => {
  const { variables } = await setupOf(context);
  for (const [variable, secret] of Object.entries(KEYS)) {
    const expected = `sha256:${createHash("sha256").update(context.secret(secret)).digest("hex")}`;
    if (variables[variable] !== expected)
      return failed(`${variable} is ${variables[variable] === undefined ? "not set" : "not the key of this stack"}`);
  }
  return passed(`${Object.keys(KEYS).join(" and ")} are the stack's`);
});

/** An absence check. */
export const environmentFlags = check("environment-no-phase-2-flags", "No feature flag of Phase 2 is set on Phase 1", async (context) => {
  const { variables } = await setupOf(context);
  const flags = Object.keys(variables).filter((name) => name.includes("PHASE2"));
  if (!onPhase1(context)) return passed(flags.length === 0 ? "none is set" : `${flags.join(", ")} belong to Phase 2, which runs`);
  return flags.length > 0 ? failed(`${flags.join(", ")} must not be set on Phase 1`) : passed("none is set");
});
