/** A program's service is public where its health is asked over a port; a command's health makes no listener. */
import { expect, test } from "vitest";
import { defineSystem } from "../../components/define.ts";
import { process } from "../../components/workloads.ts";

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
