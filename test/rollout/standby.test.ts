/** Whether the way back is ready, and why not; a copy that is missing is made before users are kept out. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareStandby, makeStandbysBefore, readinessOf } from "../../rollout/standby.ts";
import { postgres } from "../databases/engines/whole.ts";
import type { Run } from "../../config/run.ts";
import { ownServer, type OwnServer } from "../databases/postgres/own-server.ts";
import { DATABASE, makeStand, planOf, RESTORE, type Stand } from "../databases/engines/postgres-stand.ts";

let own: OwnServer;
let stand: Stand;
beforeAll(async () => {
  own = await ownServer();
  const { host, port, user, passwordFile } = own.endpoint;
  const server = { embedded: false, host, port, user, passwordFile: passwordFile!, driver: "template" as const, databases: {} };
  stand = await makeStand(server, (run: Run) => postgres.make(run, DATABASE));
}, 120_000);
afterAll(async () => {
  await stand.end();
  await own.remove();
});

test("why a snapshot has no standby copy is known; what is missing is copied while users are in, once", async () => {
  const { run, snapshot } = await stand.snapshotted();
  await postgres.admit(run, DATABASE, "everybody");
  const user = await own.open(DATABASE);
  expect(await readinessOf(run, snapshot)).toEqual({ standby: false, reason: null });
  const admin = await own.open("postgres");
  const recorded = (version: string) =>
    admin.query(`UPDATE pg_database SET datcollversion = ${version} WHERE datname = '${snapshot.location}'`);
  await recorded("'1.2'");
  await expect(postgres.requireRoom(run, [], [snapshot])).rejects.toThrow(/REFRESH COLLATION VERSION/);
  await expect(prepareStandby(run, snapshot)).rejects.toThrow(/collation/);
  expect(await readinessOf(run, snapshot)).toMatchObject({ standby: false, reason: expect.stringMatching(/collation/) as string });
  await recorded("NULL");
  const making = prepareStandby(run, snapshot);
  expect(await readinessOf(run, snapshot)).toEqual({ standby: false, reason: "its copy is being made and verified right now" });
  await postgres.dropCopy(run, await making);
  await makeStandbysBefore(run, { [DATABASE]: planOf(RESTORE) });
  expect(await readinessOf(run, snapshot)).toEqual({ standby: true, reason: null });
  const copies = async () => (await run.state.catalogued()).filter(({ role }) => role === "standby").map(({ name }) => name);
  const made = await copies();
  await makeStandbysBefore(run, { [DATABASE]: planOf(RESTORE) });
  expect(await copies()).toEqual(made);
  expect((await user.query("SELECT count(*)::int AS orders FROM orders")).rows).toEqual([{ orders: 3 }]);
});
