/** The real migration tools on a real PostgreSQL: their ledgers are read, their commands run inside the fence, and they accept what a rollback leaves. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REFUSES_UNKNOWN } from "../../config/system/ledgers.ts";
import type { Server } from "../../config/site.ts";
import { runsOn } from "../../config/schema-ahead.ts";
import type { Pins } from "../../config/pins.ts";
import { CommandFailedError } from "../../processes/command.ts";
import { ledgerRefusals } from "../../rollout/ledger-refusals.ts";
import { ownServer, type OwnServer } from "../databases/postgres/own-server.ts";
import { ToolStand } from "./migration-tools/stand.ts";
import { TOOLS, type ToolCase } from "./migration-tools/tools.ts";

let own: OwnServer;

beforeAll(async () => {
  own = await ownServer();
}, 120_000);
afterAll(async () => own.remove());

/** The first revision is applied, a row is written; then, inside a fence, a snapshot is taken and the second one is applied. */
async function deployed(tool: ToolCase): Promise<ToolStand> {
  const { host, port, user, passwordFile } = own.endpoint;
  const server: Server = { embedded: false, host, port, user, passwordFile: passwordFile!, driver: "template", databases: {} };
  const stand = new ToolStand(server, tool);
  await stand.make();
  await stand.migrate(tool.names[0], { action: { kind: "create" } });
  await stand.sql("INSERT INTO orders VALUES (1)");
  stand.write(tool.revisions[1]);
  await stand.fence();
  await stand.snapshot();
  expect(await stand.migrate(tool.names[1])).toMatchObject({ up: [tool.names[1]], back: [] });
  await expect(stand.sql("SELECT 1")).rejects.toThrow("not currently accepting connections");
  await stand.open();
  await stand.sql("INSERT INTO orders VALUES (2)");
  return stand;
}

const orders = async (at: ToolStand): Promise<number[]> =>
  (await at.sql<{ id: number }>("SELECT id FROM orders ORDER BY id")).map(({ id }) => id);

describe.each(TOOLS.map((tool) => [tool.ledger, tool] as const))("%s", (ledger, tool) => {
  const [first, second] = tool.names;
  const missing = tool.absent();
  let at: ToolStand;

  // One deployment: each test goes on where the one before it ended, with the second revision.
  beforeAll(async () => {
    if (missing === null) at = await deployed(tool);
  });
  afterAll(async () => {
    if (missing !== null) return;
    await at.end();
    const admin = await own.open("postgres");
    const { rows } = await admin.query<{ name: string }>("SELECT quote_ident(datname) AS name FROM pg_database WHERE datname LIKE 'shop%'");
    for (const { name } of rows) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });

  test("read, and a rollback of the code alone: the plan says what the tool itself says", async (context) => {
    if (missing !== null) return context.skip(missing);
    expect(await at.facts()).toMatchObject({ ledger, head: second, applied: [first, second] });
    const owners = await at.sql<{ owner: string }>(
      "SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE tablename IN ('orders', 'notes')",
    );
    expect(owners).toHaveLength(1);
    const definition = at.definition();
    definition.services = { api: { databases: ["shop"] } } as never;
    definition.scopes = { code: { pins: { release: "to" } }, full: { pins: { release: "to", data: "snapshot" } } } as never;
    const made = runsOn(definition, { v1: { schema: { shop: first } } }, { api: "v1" });
    const pins = {
      release: "v1",
      services: { api: { release: "v1", run: true } },
      needs: { shop: first },
      runsOn: made,
    } as unknown as Pins;
    const plan = { action: { kind: "none" as const }, up: [], back: [second], backBy: "keep" as const };
    const [reason] = ledgerRefusals({ definition, database: "shop", pins, plan, now: await at.facts() });
    at.older();
    const said = REFUSES_UNKNOWN[ledger];
    if (said === undefined) {
      expect(reason).toBeUndefined();
      await at.start();
    } else {
      expect(reason).toContain(said);
      expect(reason).toContain("by scope full");
      await expect(at.start()).rejects.toThrow(said);
    }
    at.write(tool.revisions[1]);
  });

  test("a schema that goes down keeps the data, and the tool accepts it", async (context) => {
    if (missing !== null) return context.skip(missing);
    if (tool.migrate !== undefined && tool.migrateDown === undefined) return context.skip(`${ledger} reverts nothing`);
    await at.fence();
    expect(await at.migrate(first, { back: [second], backBy: "down" })).toMatchObject({ up: [], back: [second] });
    await at.open();
    expect(await at.facts()).toMatchObject({ head: first, applied: [first] });
    expect(await orders(at)).toEqual([1, 2]);
    at.older();
    await at.accepted();
    at.write(tool.revisions[1]);
    await at.accepted();
    expect(await at.facts()).toMatchObject({ head: second, applied: [first, second] });
  });

  test("after a restore the tool accepts what is there", async (context) => {
    if (missing !== null) return context.skip(missing);
    await at.fence();
    await at.restore();
    await at.open();
    expect(await at.facts()).toMatchObject({ ledger, head: first, applied: [first] });
    expect(await orders(at)).toEqual([1]);
    at.older();
    await at.accepted();
    at.write(tool.revisions[1]);
    await at.accepted();
    expect(await at.facts()).toMatchObject({ head: second, applied: [first, second] });
  });

  test("what fails or misses its goal is told with the output's end, the database stays closed, and run again it goes on", async (context) => {
    if (missing !== null) return context.skip(missing);
    if (tool.migrate === undefined) return context.skip("backout runs its scripts itself");
    await at.fence();
    await at.restore();
    await expect(at.migrate(second, {}, { migrate: "echo no such revision >&2; exit 4" })).rejects.toThrow(CommandFailedError);
    await expect(at.migrate(second, {}, { migrate: "echo no such revision >&2; exit 4" })).rejects.toThrow(/exit code 4: no such revision/);
    await expect(at.migrate(second, {}, { migrate: "true" })).rejects.toThrow(`${second} is not applied in the ledger of shop`);
    await expect(at.sql("SELECT 1")).rejects.toThrow("not currently accepting connections");
    expect((await at.migrate(second)).up).toEqual([second]);
    expect((await at.migrate(second)).up).toEqual([]);
    expect(at.said.join("\n")).not.toContain(own.endpoint.password ?? "\u0000");
  });
});
