/** What follows from how a service runs and shows its health: users, a port; what has no effect on it is refused. */
import { expect, test } from "vitest";
import { defineSystem } from "../../components/define.ts";
import { process, site } from "../../components/workloads.ts";

test("what asks over a port has users and a port, what runs a command has none", () => {
  const run = process({ command: ["python3", "app.py"], build: ["make"] });
  const { services, listeners } = defineSystem(
    "shop",
    {
      services: {
        api: { run, health: "/healthz", port: 8080 },
        cache: { run, health: { tcp: true, timeoutMs: 1_000 }, public: false },
        jobs: { run, health: { command: ["true"], timeoutMs: 1_000 } },
        mail: { run },
      },
    },
    import.meta.dirname,
  );
  expect(Object.fromEntries(Object.entries(services).map(([name, { kind }]) => [name, kind]))).toEqual({
    api: "service",
    cache: "service",
    jobs: "worker",
    mail: "worker",
  });
  expect(Object.keys(listeners)).toEqual(["api"]);
});

test("a site, which nothing starts or stops, is refused a grace and variables", () => {
  const shop = (more: object) => () => defineSystem("shop", { services: { pages: { run: site(), ...more } } }, import.meta.dirname);
  expect(shop({ stopGraceMs: 0, environment: () => ({}) })).toThrow(
    /definition\.services\.pages\.stopGraceMs: 0 .*remove it\n.*pages\.environment: "given" .*no effect on a site/,
  );
  expect(shop({})().services["pages"]!.kind).toBe("static");
});

test("a key that is misspelt where a map is missing is named", () => {
  expect(() => defineSystem("shop", { servises: { pages: { run: site() } } } as never, import.meta.dirname)).toThrow(
    "definition.services is missing: must be a map, by name; `servises` is no key of a system: rename it",
  );
});
