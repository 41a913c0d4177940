/** Checks that are files beside the program: found by themselves, they decide whether users are let in, and `verify` runs them any time. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeShop, type ShopStand } from "./shop-stand.ts";

let shop: ShopStand;
beforeAll(async () => void (shop = await makeShop()));
afterAll(async () => shop?.remove());

interface Verified {
  passed: boolean;
  results: { id: string; title: string; ok: boolean; message: string; ms: number; figures?: Record<string, number> }[];
}
const result = ({ results }: Verified, id: string) => results.find((each) => each.id === id);

test("an SQL file, a zx script and another executable verify rollouts and, by the verb, what runs", { timeout: 900_000 }, async () => {
  shop.write(
    "verify/orders.sql",
    "-- title: Every order says what it is for\n-- timeout: 20s\nSELECT id, what FROM orders WHERE what LIKE '%broken%';\n",
  );
  shop.write(
    "verify/says-release.mjs",
    `// title: The shop answers through the gate with the declared release
// scopes: code
const { urls, headers, release } = JSON.parse(await stdin());
const said = await (await fetch(urls.app, { headers })).json();
echo(JSON.stringify({ ok: said.release === release, message: \`it says \${said.release}\`, figures: { answers: 1 } }));
`,
  );
  shop.write(
    "verify/file.sh",
    '#!/bin/sh\n# title: The database is a file\n# writes: true\ntest -s "$DATABASE_URL" || { echo "no $DATABASE_URL"; exit 1; }\n',
  );
  expect(await shop.verb("deploy", "v1.0.0", "--yes")).toMatchObject({ code: 0, json: { ok: true } });

  const verified = await shop.verb<Verified>("verify");
  expect(verified).toMatchObject({ code: 0, json: { passed: true } });
  expect(result(verified.json!, "orders")).toMatchObject({
    title: "Every order says what it is for",
    ok: true,
    message: "no row violates it",
    ms: expect.any(Number) as number,
    figures: { violations: 0 },
  });
  expect(result(verified.json!, "says-release")).toMatchObject({ ok: true, message: "it says v1.0.0", figures: { answers: 1 } });
  expect(result(verified.json!, "file")?.ok).toBe(true);

  // A row that violates it, one check asked for, and one that hangs: the others are not held up, and nothing of it is left.
  shop.inFile((database) => database.exec("INSERT INTO orders (what) VALUES ('a broken one')"));
  const one = await shop.verb<Verified>("verify", "--check", "orders");
  expect(one).toMatchObject({
    code: 1,
    json: { passed: false, results: [{ id: "orders", ok: false, message: "1 row violates it: id 1, what a broken one" }] },
  });
  shop.inFile((database) => database.exec("DELETE FROM orders"));

  // A deployment that one of them refuses goes back by itself.
  shop.write("verify/not-yet.sh", '#!/bin/sh\n[ "$BACKOUT_RELEASE" != v2.0.0 ] || { echo "v2.0.0 is not for this shop"; exit 1; }\n');
  const failed = await shop.verb("deploy", "v2.0.0", "--yes");
  expect(failed.code).toBe(1);
  expect(JSON.stringify([failed.failure, failed.json])).toContain("not-yet (it ended with exit code 1: v2.0.0 is not for this shop)");
  expect(await shop.verb("status")).toMatchObject({ json: { gate: { mode: "open" }, config: { release: "v1.0.0" } } });

  shop.write("verify/hangs.sh", "#!/bin/sh\n# timeout: 2s\nsleep 1000\n");
  const hanging = await shop.verb<Verified>("verify");
  expect(hanging.code).toBe(1);
  expect(result(hanging.json!, "hangs")).toMatchObject({ ok: false, message: "it did not end within 2 s and was ended" });
  expect(result(hanging.json!, "orders")?.ok).toBe(true);

  // A head that is wrong is refused like any mistake of the definition, before anything runs.
  shop.write("verify/hangs.sh", "#!/bin/sh\n# timeout: 2\nsleep 1000\n");
  const refused = await shop.verb("verify");
  expect(refused.code).toBe(3);
  expect(refused.failure).toMatch(/verify\/hangs\.sh:2: "2" is not allowed: must be a time/);
});
