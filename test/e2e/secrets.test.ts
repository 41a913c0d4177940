/** The database's passwords are in no state, backup, history, log, record, export, report, output or argument list. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverHome } from "../../config/site.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { layoutOf } from "../../config/server-home.ts";
import { serverFolder } from "../../databases/postgres/server.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "../databases/postgres/drivers/debian-server.ts";
import { argumentListsDuring, leaksIn, leaksInFiles, secretsOf } from "./secret-values.ts";
import { filesBelow, makeStand, PINS, succeeded, type Stand, type Update } from "./stand.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
});
afterAll(() => stand?.destroy());

test("deployed, failed, rolled back, previewed, reported: no secret anywhere but in its own file", async () => {
  const outputs: string[] = [];
  const say = async (run: Promise<Update>, well = true): Promise<void> => {
    const update = await run;
    if (well) succeeded(update);
    outputs.push(update.output);
  };
  const seen = await argumentListsDuring(async () => {
    await say(stand.up());
    await stand.insertWell("S-1");
    await say(stand.up(PINS.forward));
    await stand.insertWell("S-2");
    const [snapshot] = await stand.snapshots();
    const restore = PINS.restore(`${snapshot!.name}@${snapshot!.generation}`);
    await say(stand.preview(restore, "--json"));
    await stand.interrupt("start.before", "provider").then(({ output }) => outputs.push(output));
    await say(stand.up());
    for (const verb of ["status", "history", "verify", "preview"]) {
      const { json, stderr } = await stand.verb(verb);
      outputs.push(JSON.stringify(json), stderr);
    }
    await say(stand.pulumi(["stack", "history", "--json"]));
    await say(stand.pulumi(["stack", "export"]));
    await say(stand.up([{ path: ["server", "port"], value: 1 }]), false);
  });
  const known = secretsOf(stand.site);
  expect([...known.keys()].sort()).toEqual(["database", "database-owner", "jwt", "pems-token", "server password", "test-user-password"]);
  expect(
    seen.some((line) => line.includes("pulumi")),
    "argument lists were seen at all",
  ).toBe(true);
  expect(seen.flatMap((line) => leaksIn("an argument list", line, known))).toEqual([]);
  expect(outputs.flatMap((text) => leaksIn("an output", text, known))).toEqual([]);
  const files = filesOutsideSecrets(stand);
  files.push(layoutOf(serverFolder(serverHome(stand.site))).log);
  for (const expected of [
    "/.backout/state/.pulumi/stacks/",
    "/.pulumi/backups/",
    "/.pulumi/history/",
    "/exports/",
    "/records/",
    "/processes/",
    "/standby/",
  ])
    expect(
      files.some((file) => file.includes(expected)),
      expected,
    ).toBe(true);
  expect(leaksInFiles(files, known)).toEqual([]);
});

/** Everything the stand keeps, but for its secrets' own files and the server's. */
function filesOutsideSecrets({ folder, stack }: Stand): string[] {
  const own = [join(stack.home, "secrets"), join(stack.home, "postgres")];
  return filesBelow(folder).filter((file) => own.every((place) => !file.startsWith(place)));
}

describe("a server of somebody else's, with dumps", () => {
  const missing = missingDebianServer();
  const password = randomBytes(24).toString("base64url");
  let server: DebianServer | undefined;
  let external: Stand | undefined;
  beforeAll(async () => {
    if (missing !== null) return;
    server = await startDebianServer();
    const { host, port, user } = server.endpoint;
    await withSession(server.endpoint, "postgres", (client) => client.query(`ALTER ROLE ${user} PASSWORD '${password}'`));
    process.env["BACKOUT_SERVER_PASSWORD"] = password;
    external = await makeStand({ edits: [{ path: ["server"], value: { host, port, user, driver: "dump" } }] });
  });
  afterAll(async () => {
    await external?.destroy();
    await server?.stop();
    delete process.env["BACKOUT_SERVER_PASSWORD"];
  });

  test("pg_dump and pg_restore are told no password as an argument, and nothing keeps it", async (context) => {
    if (missing !== null) return context.skip(missing);
    const outputs: string[] = [];
    const there = external!;
    const seen = await argumentListsDuring(async () => {
      outputs.push((await there.upWell()).output, (await there.upWell(PINS.forward)).output);
      await there.untilStandby();
    });
    const known = secretsOf(there.site);
    expect(known.get("server password")).toContain(password);
    for (const tool of ["pg_dump", "pg_restore"])
      expect(
        seen.some((line) => line.split("\0")[0]!.endsWith(`/${tool}`) && line.includes(`--port=${server!.endpoint.port}`)),
        `${tool} was seen at work`,
      ).toBe(true);
    expect(seen.flatMap((line) => leaksIn("an argument list", line, known))).toEqual([]);
    expect(outputs.flatMap((text) => leaksIn("an output", text, known))).toEqual([]);
    const files = filesOutsideSecrets(there);
    const [snapshot] = await there.snapshots();
    expect(files.some((file) => file.startsWith(snapshot!.location))).toBe(true);
    expect(leaksInFiles(files, known)).toEqual([]);
  });
});
