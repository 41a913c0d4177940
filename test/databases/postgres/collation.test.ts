/** A server whose collations have another version than a database was made with: it refuses every copy, which the plan finds out first. */
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CollationMismatchError, requireCollations } from "../../../databases/postgres/collation.ts";
import { connect } from "../../../databases/postgres/connection.ts";
import { templateDriver } from "../../../databases/postgres/drivers/template.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "./drivers/debian-server.ts";

const missing = missingDebianServer();

describe.skipIf(missing !== null)("a collation of another version", () => {
  let server: DebianServer;
  let admin: pg.Client;
  beforeAll(async () => {
    server = await startDebianServer();
    admin = await connect(server.endpoint, "postgres");
  }, 120_000);
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  test("refuses the copy by name, with what helps; afterwards it is made", async () => {
    await admin.query("CREATE DATABASE shop TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'");
    await requireCollations(admin, ["shop"]);
    await admin.query("UPDATE pg_database SET datcollversion = '1.2' WHERE datname = 'shop'");
    await expect(templateDriver({ admin }).take("shop", "shop_copy")).rejects.toThrow(/collation/);
    const refused = await requireCollations(admin, ["shop", "postgres"]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CollationMismatchError);
    const said = (refused as Error).message;
    expect(said).toMatch(
      /^database "shop" was made with version 1\.2 of its collation and the server has [\d.]+, so that the server copies it no more/,
    );
    const [, remedy] = /run `(.*)` in it/.exec(said)!;
    const inside = await connect(server.endpoint, "shop");
    for (const statement of remedy!.split("; ")) await inside.query(statement);
    await inside.end();
    await requireCollations(admin, ["shop"]);
    await templateDriver({ admin }).take("shop", "shop_copy");
  });
});
