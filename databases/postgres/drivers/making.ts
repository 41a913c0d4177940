/** A database gets its name when it is complete: until then it is recognised as unfinished, and dropped by the next attempt. */
import type pg from "pg";
import { quote } from "../../shared/identifiers.ts";
import { makingName } from "../../../config/names.ts";
import { findDatabase } from "../sessions.ts";
import { SnapshotExistsError } from "./driver.ts";

/**
 * `make` fills a database under a temporary name, which is renamed to `name` at the end.
 * A backend whose client died goes on copying: the lock makes the next attempt wait for it, so that it finds what that one left.
 * @throws SnapshotExistsError when `name` is taken
 */
export async function makeComplete(admin: pg.Client, name: string, make: (making: string) => Promise<void>): Promise<void> {
  const making = makingName(name);
  await admin.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [`backout making ${name}`]);
  try {
    if ((await findDatabase(admin, name)) !== null) throw new SnapshotExistsError(`database "${name}"`);
    await dropDatabase(admin, making);
    try {
      await make(making);
      await admin.query(`ALTER DATABASE ${quote(making)} RENAME TO ${quote(name)}`);
    } catch (error) {
      await dropDatabase(admin, making).catch(() => undefined);
      throw error;
    }
  } finally {
    await admin.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", [`backout making ${name}`]).catch(() => undefined);
  }
}

export async function dropDatabase(admin: pg.Client, name: string): Promise<"already" | "removed"> {
  if ((await findDatabase(admin, name)) === null) return "already";
  await admin.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
  return "removed";
}
