/** What belongs to users of a database (grants, settings, limits) is theirs again after everything that backout does with it, failures included. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { servicesRole } from "../../config/site.ts";
import { makeStand, PINS, until, type Stand } from "./stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.insertWell("BASE-1");
  await stand.upWell(PINS.forward);
});
afterAll(() => stand?.destroy());

const inLive = (statement: string) => stand.sql(statement);
const atServer = <Row extends object>(statement: string, values: unknown[] = []) => stand.sql<Row>(statement, values, "postgres");

/** Of a database, everything that is its users'. */
async function theirs(database: string) {
  const [row] = await atServer<{ acl: string | null; settings: string[]; limit: number }>(
    `SELECT d.datacl::text AS acl, d.datdba::regrole::text AS owner, d.datconnlimit AS limit, d.datistemplate AS template,
       shobj_description(d.oid, 'pg_database') AS comment,
       ARRAY(SELECT setrole::regrole || ' ' || entry FROM pg_db_role_setting, unnest(setconfig) entry WHERE setdatabase = d.oid ORDER BY 1) AS settings
     FROM pg_database d WHERE d.datname = $1`,
    [database],
  );
  return row;
}

async function newest(): Promise<string> {
  const last = (await stand.snapshots()).at(-1)!;
  return `${last.name}@${last.generation}`;
}

describe("an open stack", () => {
  test("a service that died is started again by plain up, and nobody loses the right to connect", async () => {
    await atServer("CREATE ROLE batch LOGIN PASSWORD 'batch'");
    await atServer(`GRANT CONNECT ON DATABASE ${stand.live} TO batch`);
    const before = await theirs(stand.live);
    process.kill(stand.pids().backend!, "SIGKILL");
    await until("the backend is gone", () => stand.pids().backend === null);
    await stand.upWell();
    expect(stand.pids().backend).not.toBeNull();
    expect(await theirs(stand.live)).toEqual(before);
  });
});

describe("a rollback of a database whose settings are in its way", () => {
  test("works, and the settings are what they were: on the live database and in quarantine", async () => {
    const snapshot = await newest();
    const services = servicesRole(stand.site);
    await stand.insertWell("SINCE-1");
    for (const statement of [
      `ALTER DATABASE ${stand.live} SET default_transaction_read_only = on`,
      `ALTER DATABASE ${stand.live} SET statement_timeout = '1ms'`,
      `ALTER DATABASE ${stand.live} SET search_path = elsewhere, public`,
      `ALTER DATABASE ${stand.live} SET "DateStyle" = 'SQL, DMY'`,
      "ALTER ROLE backout SET default_transaction_read_only = on",
      "ALTER ROLE backout SET lock_timeout = '1ms'",
      "ALTER ROLE backout SET statement_timeout = '50ms'",
    ])
      await atServer(statement);
    // The services go on as before: it is backout that is tried here.
    for (const name of [
      "default_transaction_read_only = off",
      "statement_timeout = 0",
      'search_path = "$user", public',
      "DateStyle = 'ISO'",
    ])
      await atServer(`ALTER ROLE ${services} IN DATABASE ${stand.live} SET ${name}`);
    const before = await theirs(stand.live);
    expect(before!.settings).toHaveLength(8);
    await stand.upWell(PINS.restore(snapshot));
    expect(await theirs(stand.live)).toEqual(before);
    expect(await stand.ids()).toEqual(["BASE-1"]);
    expect(await stand.lost(["BASE-1", "SINCE-1"])).toEqual([]);
    const [quarantine] = await atServer<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname LIKE '%\\_quarantine\\_%'",
    );
    expect(await theirs(quarantine!.name)).toEqual(before);
    const own = await atServer("SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = 0 ORDER BY 1");
    expect(own).toEqual([{ setconfig: ["default_transaction_read_only=on", "lock_timeout=1ms", "statement_timeout=50ms"] }]);
    await atServer("ALTER ROLE backout RESET ALL");
    await atServer(`ALTER DATABASE ${stand.live} RESET ALL`);
    await stand.upWell(PINS.forward);
  });
});

describe("rights that were taken from the services' role", () => {
  test("stay taken over a deployment", async () => {
    const services = servicesRole(stand.site);
    await stand.upWell([...PINS.forward, { path: ["release"], value: "v3.0.0" }]);
    await inLive(`REVOKE UPDATE, DELETE ON pfa_modification FROM ${services}`);
    const rights = () =>
      stand.sql(
        "SELECT c.relname, c.relacl::text AS acl FROM pg_class c WHERE c.relname IN ('pfa_modification', 'pfa_records') ORDER BY 1",
      );
    const before = await rights();
    await stand.upWell(PINS.forward);
    expect(await rights()).toEqual(before);
  });
});
