/** What the state database keeps, in memory, and a SQLite database in memory as a session. */
import { DatabaseSync } from "node:sqlite";
import { sqliteSession } from "../../databases/sqlite/sql-session.ts";

export function keeping() {
  const values = new Map<string, string>();
  const kept = <T>(key: string): Promise<T | null> => Promise.resolve(values.has(key) ? (JSON.parse(values.get(key)!) as T) : null);
  return {
    values,
    kept,
    keepFirst: async <T>(key: string, value: T): Promise<T> => {
      if (!values.has(key)) values.set(key, JSON.stringify(value));
      return (await kept<T>(key))!;
    },
    forget: (key: string): Promise<void> => Promise.resolve(void values.delete(key)),
  };
}

export function memory(sql: string) {
  const database = new DatabaseSync(":memory:");
  database.exec(sql);
  return { database, session: sqliteSession(database) };
}
