/** What the application is set to. */
import type { EnvironmentContext } from "../../config/system/definition.ts";

/** Secrets that are keys of its database's host, by variable. */
export const KEYS = { NEXT_PUBLIC_SUPABASE_ANON_KEY: "supabase-anon-key", SUPABASE_SERVICE_ROLE_KEY: "supabase-service-role-key" };

/** Settings that are not secret stand in the ledger with the release, as lines of its environment file. */
export const settings = ({ config }: Pick<EnvironmentContext, "config">): Record<string, string> =>
  Object.fromEntries(Object.entries(config).filter(([name]) => /SUPABASE|SETUP|PHASE2/.test(name)));
