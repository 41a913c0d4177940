import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, withSession } from "../../../databases/postgres/connection.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import { readProperties } from "../../../databases/postgres/properties.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.remove());

/** What somebody who stops the damage, or who lives with other formats, sets for a database or a role. */
const HOSTILE: Record<string, string> = {
  default_transaction_read_only: "on",
  default_transaction_isolation: "serializable",
  statement_timeout: "30s",
  lock_timeout: "20s",
  idle_in_transaction_session_timeout: "40s",
  idle_session_timeout: "50s",
  synchronous_commit: "off",
  search_path: "elsewhere",
  row_security: "off",
  standard_conforming_strings: "off",
  exit_on_error: "on",
  lc_monetary: "POSIX",
  session_replication_role: "replica",
  TimeZone: "Asia/Tokyo",
  DateStyle: "SQL, DMY",
  IntervalStyle: "iso_8601",
  extra_float_digits: "-3",
  bytea_output: "escape",
  quote_all_identifiers: "on",
  client_encoding: "LATIN1",
};

const OWN: Record<string, string> = {
  default_transaction_read_only: "off",
  default_transaction_isolation: "read committed",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  synchronous_commit: "on",
  search_path: "public",
  row_security: "on",
  standard_conforming_strings: "on",
  exit_on_error: "off",
  lc_monetary: "C",
  session_replication_role: "origin",
  TimeZone: "UTC",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  quote_all_identifiers: "off",
  client_encoding: "UTF8",
};

async function shown(database: string): Promise<Record<string, string>> {
  return withSession(server.endpoint, database, async (client) => {
    const { rows } = await client.query<{ name: string; value: string }>(
      "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name",
      [Object.keys(OWN)],
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  });
}

describe("settings of backout's own sessions", () => {
  it.each([
    ["a database", (name: string) => `ALTER DATABASE ${quote(name)}`],
    ["a role", () => "ALTER ROLE backout"],
    ["a role in a database", (name: string) => `ALTER ROLE backout IN DATABASE ${quote(name)}`],
  ])("stand against those of %s, which stay what they are", async (of, alter) => {
    const name = await server.database(of.replaceAll(" ", "_"));
    const statement = alter(name);
    for (const [setting, value] of Object.entries(HOSTILE))
      await server.admin.query(`${statement} SET ${setting} TO ${setting === "search_path" ? value : `'${value}'`}`);
    const before = await readProperties(server.admin, name);
    try {
      expect(await shown(name)).toEqual(OWN);
      await withSession(server.endpoint, name, (client) => client.query("CREATE TABLE written (id int)"));
      expect(await readProperties(server.admin, name)).toEqual(before);
    } finally {
      await server.admin.query(`${statement} RESET ALL`);
    }
  });

  it("end with the session: the next one of anybody has none of them", async () => {
    const name = await server.database("clean");
    await (await connect(server.endpoint, name)).end();
    const { rows } = await server.admin.query("SELECT 1 FROM pg_db_role_setting");
    expect(rows).toEqual([]);
  });
});

it("of a role whose password is not set, or wrong, says which key to set, and ends at once", async () => {
  const { host, port, user } = server.endpoint;
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const before = sockets();
  for (const [endpoint, reason] of [
    [{ host, port, user }, "the server asks for a password, and none is set"],
    [{ host, port, user, password: "wrong" }, "password authentication failed"],
  ] as const)
    await expect(connect(endpoint, "postgres")).rejects.toThrow(
      new RegExp(`${reason}.*: set backout:serverPassword of the stack as a secret`),
    );
  await expect.poll(sockets, { timeout: 5000 }).toBe(before);
});
