/** The ledger's order, and the names that may stand in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { snapshotPlace } from "../../databases/shared/snapshot-place.ts";
import { editPins } from "../../config/edit.ts";
import { declaredOrder, ledgerOrder, newestRelease, releaseOrder, standsAfter } from "../../config/ledger.ts";
import { derivedName, NAME_BYTES } from "../../config/names.ts";
import { configOf, STACK } from "./sample.ts";

const folder = mkdtempSync(join(tmpdir(), "ledger-"));
afterAll(() => rmSync(folder, { recursive: true }));

const NAMES = ["v3.0.0", "2f9c1d0", "abc1234", "1234567", "2026.10", "v4.0.0+build.7", "main-120", "main-99"];
const entered = (names: string[]): string =>
  editPins(
    "config: {}\n",
    names.map((name) => ({ path: ["releases", name], value: { services: {} } })),
  );

describe("the ledger's order", () => {
  it("is the file's, whatever the names look like", () => {
    expect(ledgerOrder(entered(NAMES))).toEqual(NAMES);
    expect(ledgerOrder("config:\n  a: &x {v2: {}, v1: {}}\n  backout:releases: *x\n")).toEqual(["v2", "v1"]);
    expect(ledgerOrder("config: {}\n")).toBeNull();
  });

  it("a name that YAML takes for a number is refused: it is another one by then", () => {
    expect(() => ledgerOrder("config:\n  backout:releases:\n    v1: {}\n    2026.10: {}\n    12e4567: {}\n")).toThrow(
      /backout:releases\.2026\.10: "2026\.10" is not allowed: .*write "2026\.10" in quotes\n.*12e4567/,
    );
    expect(() => configOf({ release: 2026.1 })).toThrow(
      /backout:release: 2026\.1 is not allowed: must be text: write the release's name in quotes/,
    );
  });

  it("is known to a program from its stack file; not where that is another one than the engine read", () => {
    mkdirSync(join(folder, "stacks"));
    writeFileSync(join(folder, "stacks", "Pulumi.shop.yaml"), entered(NAMES));
    const order = (stack: string, given: string[]) => declaredOrder(join(folder, "stacks"), stack, given);
    expect(order("shop", [...NAMES].sort())).toEqual(NAMES);
    expect(order("shop", NAMES.slice(1))).toBeNull();
    expect(order("other", NAMES)).toBeNull();
  });

  it("without it the record decides: what never opened comes after everything that did", () => {
    const order = releaseOrder(null, ["v2", "v4", "v2", "hotfix"]);
    expect(order).toEqual(["v2", "hotfix", "v4"]);
    expect([standsAfter(order, "abc1234", "v4"), standsAfter(order, "v2", "v4"), standsAfter(order, "v4", "v4")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("keeps a place for what opened and is in the ledger no more", () => {
    expect(releaseOrder(["v1", "v3"], ["v1", "v2", "v3"])).toEqual(["v1", "v2", "v3"]);
    expect(releaseOrder(["v1", "v3"], ["v0", "v3"])).toEqual(["v0", "v1", "v3"]);
  });
});

describe("a release's name", () => {
  it.each([...NAMES, "V4", "a".repeat(100), "phase-3.1.0-rc.1"])("%s may stand in the ledger, in pins, blocks and snapshots", (name) => {
    const { releases } = configOf();
    const ledger = { ...releases, [name]: releases["v4.0.0"]! };
    const config = configOf({ releases: ledger, release: name, blocked: { [name]: "x" }, data: `before-${name}@2` });
    expect(config).toMatchObject({ release: name, data: `before-${name}@2` });
  });

  it.each(["v4 beta", "feature/x", "it's", '"v4"', "-v4", ".hidden", "_x", "v4@1", "ünı", "a".repeat(101), "v4\n"])(
    "%j is refused wherever it is written, with the rule",
    (name) => {
      const { releases } = configOf();
      const rule = /is not allowed: a release's name has letters, digits and \. _ \+ - only/;
      expect(() => configOf({ releases: { ...releases, [name]: releases["v4.0.0"]! } })).toThrow(rule);
      expect(() => configOf({ release: name })).toThrow(rule);
      expect(() => configOf({ services: { backend: { release: name } } })).toThrow(rule);
      expect(() => configOf({ blocked: { [name]: "x" } })).toThrow(rule);
    },
  );

  it("gives its snapshot a place of its own, that every database and file system can name", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/);
    const kin = name.chain((one) => fc.constantFrom(one, one.toLowerCase(), one.replaceAll(/[.+_]/g, "-")).map((other) => [one, other]));
    fc.assert(
      fc.property(fc.oneof(kin, fc.tuple(name, name)), fc.integer({ min: 1, max: 9999 }), ([one, other], generation) => {
        const place = (release: string) => snapshotPlace(`before-${release}`, generation);
        expect(place(one)).toMatch(/^[a-z0-9_]+$/);
        expect(place(one) === place(other)).toBe(one === other);
        const database = derivedName("a_rather_long_name_of_a_live_database", `_${place(one)}_pristine`);
        expect(Buffer.byteLength(database)).toBeLessThanOrEqual(NAME_BYTES);
      }),
    );
    expect(snapshotPlace("before-drop", 1)).toBe("before_drop_1");
  });
});

it("the stack file of the sample has its order, too", () => expect(ledgerOrder(STACK)).toEqual(["v3.0.0", "v4.0.0"]));

describe("the release that a deployment without a name means", () => {
  const order = ["v1", "v2", "v3", "v4"];
  const newest = (running: string | null, blocked: Record<string, string> = {}, ledger: string[] = order) =>
    newestRelease({ order, ledger, blocked, running });

  it("is the newest one of the ledger, deployed or not", () => {
    expect(newest("v2")).toEqual({ release: "v4", why: "the newest release of the ledger; v2 runs" });
    expect(newest(null).release).toBe("v4");
    expect(newest(null).why).toMatch(/nothing is deployed yet/);
  });

  it("is never a blocked one, and says so", () => {
    expect(newest("v2", { v4: "INC-1" })).toEqual({
      release: "v3",
      why: "the newest release of the ledger; v2 runs; not v4 (blocked by INC-1)",
    });
  });

  it("is the one that runs where nothing newer may be deployed: never an older one", () => {
    expect(newest("v4").release).toBe("v4");
    expect(newest("v3", { v4: "INC-1" }).release).toBe("v3");
    expect(newest("v3", { v4: "INC-1" }).why).toMatch(/it runs, .* not v4 \(blocked by INC-1\)/);
  });

  it("is refused where the ledger has none", () => {
    expect(() => newest(null, { v1: "INC-1" }, ["v1"])).toThrow(/no release to deploy; not v1 \(blocked by INC-1\): enter one/);
    expect(() => newest("v4", {}, [])).toThrow(/no release to deploy/);
  });
});
