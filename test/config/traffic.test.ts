import { describe, expect, it, test } from "vitest";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { parseAddress, publicListeners } from "../../config/traffic.ts";
import { refusal, wrongIn } from "./definition/refused.ts";
import { configOf, definition } from "./sample.ts";

const withTraffic = (traffic: unknown): SystemDefinition => ({ ...definition, traffic }) as SystemDefinition;
/** The listeners of the sample are backend and frontend; this has one. */
const single = (traffic: unknown): SystemDefinition => ({
  ...withTraffic(traffic),
  listeners: { backend: definition.listeners["backend"]! },
});
const SWITCH = { open: ["nginx-site", "open"], close: "https://lb.example/close" };

test("an address has a host and a port", () => {
  expect(parseAddress("0.0.0.0:8080")).toEqual({ host: "0.0.0.0", port: 8080 });
  expect(parseAddress("[::]:443")).toEqual({ host: "::", port: 443 });
  for (const text of ["8080", "0.0.0.0", ":8080", "0.0.0.0:0", "0.0.0.0:65536", "::1:80", "http://a:80", "a b:80"])
    expect(parseAddress(text), text).toBeNull();
});

describe("traffic that is declared wrong is refused", () => {
  it.each<[string, unknown, RegExp]>([
    ["a slip in a key", withTraffic({ listne: "0.0.0.0:80" }), /definition\.traffic.*did you mean `listen`|definition\.traffic/],
    ["a word there is not", withTraffic("never"), /definition\.traffic/],
    ["an address without a port", single({ listen: "0.0.0.0" }), /definition\.traffic\.listen: "0\.0\.0\.0".*an address and a port/],
    ["one address for two listeners", withTraffic({ listen: "0.0.0.0:80" }), /traffic\.listen: .*name each with its address/],
    [
      "an unknown listener",
      withTraffic({ listen: { backent: "0.0.0.0:80" } }),
      /traffic\.listen\.backent: "backent".*did you mean `backend`/,
    ],
    [
      "one address twice",
      withTraffic({ listen: { backend: "0.0.0.0:80", frontend: "0.0.0.0:80" } }),
      /traffic\.listen\.frontend: .*backend listens there already/,
    ],
    ["close without open", withTraffic({ close: ["x"] }), /definition\.traffic\.open is missing.*`open` and `close` go together/],
    ["two ways at once", withTraffic({ ...SWITCH, listen: "0.0.0.0:80" }), /definition\.traffic: .*listen belongs to backout's own proxy/],
    ["a command as a text", withTraffic({ ...SWITCH, open: "nginx-site open" }), /traffic\.open: "nginx-site open".*a command is a list/],
    ["an empty command", withTraffic({ ...SWITCH, open: [] }), /definition\.traffic/],
    ["read-only scopes without the gate", withTraffic(SWITCH), /scopes\.worker\.pins\.maintenance\.mode: "read-only".*open or closed/],
  ])("%s", (_what, wrong, message) => {
    expect(wrongIn(wrong).join("\n")).toMatch(message);
  });
});

describe("the stack file", () => {
  const told = (work: () => unknown): string => refusal(work).join("\n");
  const pins = (traffic: unknown, change: Record<string, unknown>) => () => resolvePins(configOf(change), single(traffic));

  it("names the address and the certificate instead of the definition's", () => {
    const tls = { certificate: "tls/shop.crt", key: "/etc/shop.key" };
    const system = single({ listen: "0.0.0.0:8080" });
    expect(publicListeners({ project: "/work" }, system)).toEqual([{ service: "backend", host: "0.0.0.0", port: 8080 }]);
    expect(publicListeners({ project: "/work", traffic: { listen: "10.0.0.5:8443", tls } }, system)).toEqual([
      { service: "backend", host: "10.0.0.5", port: 8443, tls: { certificate: "/work/tls/shop.crt", key: "/etc/shop.key" } },
    ]);
    expect(publicListeners({ project: "/work", traffic: { tls } }, system)[0]).toMatchObject({ port: 8080, tls: { key: "/etc/shop.key" } });
    expect(publicListeners({ project: "/work", traffic: "private" }, system)).toEqual([]);
    for (const other of ["none", SWITCH]) expect(publicListeners({ project: "/work" }, withTraffic(other))).toEqual([]);
  });

  it("is refused where it is wrong", () => {
    expect(configOf({ traffic: { listen: "0.0.0.0:8080" } }).traffic).toEqual({ listen: "0.0.0.0:8080" });
    expect(told(() => configOf({ traffic: { listn: "x" } }))).toMatch(/backout:traffic\.listn.*did you mean `listen`/);
    expect(told(pins(undefined, { traffic: { listen: "8080" } }))).toMatch(/backout:traffic\.listen: "8080"/);
    expect(told(pins(undefined, { traffic: { listen: "0.0.0.0:8440" } }))).toMatch(/backout:ports\.backend has this port already/);
    expect(told(pins("none", { traffic: { listen: "0.0.0.0:80" } }))).toMatch(/does not go through backout's own proxy: remove it/);
    expect(told(pins("none", { maintenance: "full" }))).toMatch(/backout:maintenance: "full".*nobody can be kept out/);
    expect(told(pins(SWITCH, { maintenance: "read-only" }))).toMatch(/backout:maintenance: "read-only".*use `full` or `off`/);
  });
});
