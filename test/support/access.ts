/** Data access by a session that is open already. */
import type { Client } from "pg";
import type { CheckContext, DataAccess } from "../../config/system/check.ts";

/** What a session that is open already gives access to. */
export function accessTo(client: Client): DataAccess & Required<Pick<CheckContext, "violations">> {
  return {
    database: async () => Promise.resolve(client),
    sqlite: (name) => {
      throw new Error(`${name} is not a SQLite database`);
    },
    violations: async ({ script }) => (await client.query<Record<string, unknown>>(script)).rows,
  };
}
