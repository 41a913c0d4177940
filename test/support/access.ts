/** Data access by a session that is open already. */
import type { Client } from "pg";
import type { DataAccess } from "../../config/system/check.ts";

/** What a session that is open already gives access to. */
export function accessTo(client: Client): DataAccess {
  return {
    database: async () => Promise.resolve(client),
    sqlite: (name) => {
      throw new Error(`${name} is not a SQLite database`);
    },
  };
}
