/** What a service is started with is part of the pins: by name, never by value. */
import { afterEach, expect, test } from "vitest";
import { ProcessTarget } from "../../workloads/process.ts";
import { isSetUpAs, setupHash } from "../../workloads/starting.ts";
import { setupRefusals, withSetup } from "../../workloads/setup.ts";
import { setSecretCommand } from "../../config/commands.ts";
import { planRollout } from "../../config/make-plan.ts";
import { rolloutOf, type ServicePin, type Pins } from "../../config/pins.ts";
import { keepSalt } from "../../config/seal.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { newSite, pinOf, shop } from "./shop.ts";

afterEach(() => {
  for (const name of ["TOKEN", "SHOP_API"]) Reflect.deleteProperty(process.env, `BACKOUT_SECRET_${name}`);
});

const pinsOf = (api: ServicePin): Pins => ({
  release: "v1",
  services: { api },
  data: {},
  needs: {},
  schema: "keep",
  flags: {},
  maintenance: { mode: "off", message: "" },
  snapshots: [],
});
const PINS = pinsOf(pinOf("v1", undefined));

function changes(from: Pins, to: Pins, definition: SystemDefinition) {
  const whole = { ...definition, databases: {}, stopOrder: [], listeners: {}, scopes: {} };
  const { changes, stop } = planRollout({
    definition: whole,
    from,
    to,
    unfinished: false,
    databases: {},
    order: [],
    scope: null,
    snapshots: [],
  });
  return { what: changes.map(({ service, what }) => `${service}: ${what}`), stop };
}

test("another secret, environment or definition is a change, told by name, that stops what it concerns", async () => {
  const site = await newSite({ target: "process" });
  keepSalt(site);
  process.env["BACKOUT_SECRET_TOKEN"] = "sk_live_123";
  const before = withSetup(PINS, site, shop());
  expect(JSON.stringify(before)).not.toContain("sk_live_123");
  expect(withSetup(PINS, site, shop())).toEqual(before);
  expect(changes(before, before, shop())).toEqual({ what: [], stop: [] });

  process.env["BACKOUT_SECRET_TOKEN"] = "sk_live_456";
  const rotated = withSetup(PINS, site, shop());
  expect(changes(before, rotated, shop())).toEqual({ what: ["api: environment changed: TOKEN"], stop: ["api"] });
  expect(rolloutOf(rotated)).not.toBe(rolloutOf(before));

  const corrected = shop({ environment: () => ({ DATABASE_URL: "elsewhere", EXTRA: "1" }) });
  expect(changes(rotated, withSetup(PINS, site, corrected), corrected).what).toEqual([
    "api: environment changed: DATABASE_URL, DOCKER_HOST, EXTRA, PORT, RELEASE, TOKEN",
  ]);
  const patient = shop({ stopGraceMs: 30_000 });
  expect(changes(rotated, withSetup(PINS, site, patient), patient)).toEqual({
    what: ["api: definition changed: stopGraceMs"],
    stop: ["api"],
  });
});

test("another command, folder, build or role of a program is a change, and so is a release's own build", async () => {
  const site = await newSite();
  keepSalt(site);
  process.env["BACKOUT_SECRET_SHOP_API"] = "first";
  const program = { command: ["python3", "app.py"], databaseRole: "shop_api" };
  const before = withSetup(PINS, site, shop(program));
  const after = (change: Parameters<typeof shop>[0]): string[] => {
    const definition = shop({ ...program, ...change });
    return changes(before, withSetup(PINS, site, definition), definition).what;
  };
  expect(after({})).toEqual([]);
  expect(after({ command: ["python3", "server.py"] })).toEqual(["api: definition changed: command"]);
  expect(after({ cwd: "app" })).toEqual(["api: definition changed: cwd"]);
  expect(after({ build: ["make"] })).toEqual(["api: definition changed: build"]);
  expect(after({ health: { tcp: true, timeoutMs: 10_000 } })).toEqual(["api: definition changed: health"]);
  process.env["BACKOUT_SECRET_SHOP_API"] = "second";
  expect(after({}), "the password of its role").toEqual(["api: environment changed: DATABASE_URL"]);
  Reflect.deleteProperty(process.env, "BACKOUT_SECRET_SHOP_API");
  const unset = `the secret "shop_api" is not set: set the environment variable BACKOUT_SECRET_SHOP_API, or write it into ${site.home}/secrets/shop_api; or, for everybody who works on the stack, encrypt it in the stack file: \`${setSecretCommand(site.project, "shop_api")}\``;
  expect(setupRefusals(site, shop(program), PINS)).toEqual([unset]);
  const built = pinsOf({ ...PINS.services["api"]!, artefact: { build: ["make"] } });
  expect(changes(PINS, built, shop()).what).toEqual(["api: another artefact of v1"]);
});

test("what an earlier version recorded says nothing of it, and counts as unchanged", async () => {
  const site = await newSite();
  const now = withSetup(PINS, site, shop());
  expect(changes(PINS, now, shop())).toEqual({ what: [], stop: [] });
  const pin = now.services["api"]!;
  expect([
    isSetUpAs(pin, null),
    isSetUpAs(pin, setupHash(pin)),
    isSetUpAs(pin, "another"),
    isSetUpAs(PINS.services["api"]!, "any"),
  ]).toEqual([true, true, false, true]);
});

test("the place is no part of it: ports and servers are compared by the targets", async () => {
  const site = await newSite();
  keepSalt(site);
  const elsewhere = { ...site, ports: { api: 1 }, server: { ...site.server!, port: 1 } } as typeof site;
  expect(withSetup(PINS, elsewhere, shop())).toEqual(withSetup(PINS, site, shop()));
});

test("a secret that is not set, a database that the system does not have and an environment that cannot be made are refused by name", async () => {
  const site = await newSite();
  const asking = (environment: NonNullable<SystemDefinition["services"][string]["environment"]>): string[] =>
    setupRefusals(site, shop({ environment }), PINS);
  expect(setupRefusals(site, shop(), PINS)).toEqual([]);
  expect(asking(({ secret }) => ({ KEY: secret("stripe") }))).toEqual([
    `the secret "stripe" is not set: set the environment variable BACKOUT_SECRET_STRIPE, or write it into ${site.home}/secrets/stripe; or, for everybody who works on the stack, encrypt it in the stack file: \`${setSecretCommand(site.project, "stripe")}\``,
  ]);
  expect(asking(({ databaseUrl }) => ({ URL: databaseUrl("shopp") }))).toEqual([
    'definition.services.api.environment: the database "shopp" is none of shop, only shop (did you mean `shop`?)',
  ]);
  expect(
    asking(() => {
      throw new Error("no region");
    }),
  ).toEqual(["definition.services.api.environment: it cannot be built: no region; correct it"]);
  const off = pinsOf({ ...pinOf("v1", undefined), run: false });
  expect(setupRefusals(site, shop({ environment: ({ secret }) => ({ KEY: secret("stripe") }) }), off), "what is off needs nothing").toEqual(
    [],
  );
  expect(await new ProcessTarget(site, shop()).observe("worker")).toMatchObject({ running: false });
});
