import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { BackoutProvider, typeOf } from "../../provider/provider.ts";
import { UNKNOWN, type Resource, type Values } from "../../provider/resource.ts";
import { containsUnknown, isSecret, secretPaths, unwrap, wrap } from "../../provider/wire.ts";
import { secret, UNKNOWN as UNKNOWN_TEXT, urnOf } from "./provider-process.ts";

const leaf = fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null), fc.constant(UNKNOWN_TEXT));
const key = fc.string({ minLength: 1, maxLength: 6 }).filter((name) => name !== "__proto__");
/** What arrives: maps, lists, secrets around anything, values that are not known. */
const arrives = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(key, tie("any"), { maxKeys: 3 }),
    tie("any").map((value) => (isSecret(value) ? value : secret(value))),
  ),
})).any;

/** Secrets inside of secrets are told by the outermost. */
function outermost(value: unknown, inside = false): unknown {
  if (Array.isArray(value)) return value.map((inner) => outermost(inner, inside));
  if (typeof value !== "object" || value === null) return value;
  if (isSecret(value)) {
    const inner = outermost((value as { value: unknown }).value, true);
    return inside ? inner : secret(inner);
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, outermost(inner, inside)]));
}

describe("values on the wire", () => {
  it("unwrapped and wrapped again are what they were", () => {
    fc.assert(
      fc.property(fc.dictionary(key, arrives, { maxKeys: 4 }), (values) => {
        expect(wrap(unwrap(values), secretPaths(values))).toEqual(outermost(values));
      }),
    );
  });

  it("nothing unwrapped is a secret or a marker any more", () => {
    fc.assert(
      fc.property(arrives, (value) => {
        const plain = unwrap(value);
        expect(secretPaths(plain)).toEqual([]);
        expect(JSON.stringify(plain) ?? "").not.toContain(UNKNOWN_TEXT);
        expect(containsUnknown(plain)).toBe(JSON.stringify(value).includes(UNKNOWN_TEXT));
      }),
    );
  });

  it("a key with a dot is not a path", () => {
    const values = { "a.b": secret("x"), a: { b: "y" } };
    expect(wrap(unwrap(values), secretPaths(values))).toEqual(values);
  });
});

const readFrom = (site: unknown): Values => (site === undefined ? {} : { read: (site as { stack: string }).stack });

describe("what a resource returns", () => {
  const thing: Resource = {
    token: "backout:index:Thing",
    diff: async () => Promise.resolve(false),
    create: async (inputs) =>
      Promise.resolve({
        nothing: undefined,
        later: UNKNOWN,
        deep: { nothing: undefined, kept: 1 },
        echo: inputs["password"],
        ...readFrom(inputs["site"]),
      }),
    update: async () => Promise.resolve({ nothing: undefined }),
  };
  /** Adds to its inputs what it found in the text it was given. */
  const checked: Resource = {
    ...thing,
    token: "backout:index:Checked",
    check: async (inputs) => Promise.resolve({ inputs: { ...inputs, found: (inputs["site"] as { ports: { a: number } }).ports.a } }),
  };
  const provider = new BackoutProvider("0", [thing, checked], () => () => undefined);
  const urn = urnOf("Thing");
  const inputs: Values = { password: secret("hunter2"), size: 1 };

  it("is completed: nothing undefined, nothing unknown, every input there, secrets wrapped", async () => {
    const created = await provider.create(urn, inputs);
    expect(created).toMatchObject({ id: "thing" });
    expect(created.outs).toEqual({ password: secret("hunter2"), size: 1, nothing: null, later: null, deep: { kept: 1 }, echo: "hunter2" });
    expect(await provider.update("id", urn, inputs, inputs)).toEqual({ outs: { ...inputs, nothing: null } });
  });

  it("a text is read as what it says, and goes back as it came, also one that is secret", async () => {
    const site = '{ "stack":"dev" , "ports": {"b":1,"a":2} }';
    for (const given of [site, secret(site)]) {
      const created = await provider.create(urn, { site: given, password: secret("hunter2") });
      expect(created.outs).toMatchObject({ site: given, password: secret("hunter2"), read: "dev" });
      expect((await provider.check(urnOf("Checked"), {}, { site: given })).inputs).toEqual({ site: given, found: 2 });
    }
    expect((await provider.check(urnOf("Checked"), {}, { site: { ports: { a: 3 } } })).inputs).toEqual({
      site: { ports: { a: 3 } },
      found: 3,
    });
  });

  it("without a check of its own the inputs go back as they came", async () => {
    const news = { password: secret("hunter2"), later: UNKNOWN_TEXT };
    expect(await provider.check(urn, {}, news)).toEqual({ inputs: news });
  });

  it("the type is the last of the urn's chain", () => {
    expect(typeOf(urn)).toBe("backout:index:Thing");
    expect(typeOf("urn:pulumi:dev::shop::backout:index:Plan::plan")).toBe("backout:index:Plan");
    expect(typeOf("nonsense")).toBe("");
  });
});

describe("where something is deleted", () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-deleted-"));
  afterEach(() => Reflect.deleteProperty(process.env, "BACKOUT_HOME"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const homes: string[] = [];
  const noted: Resource = {
    token: "backout:index:Noted",
    diff: async () => Promise.resolve(false),
    create: async () => Promise.resolve({}),
    update: async () => Promise.resolve({}),
    delete: async ({ site }) => Promise.resolve(void homes.push((site as { home: string }).home)),
  };
  const provider = new BackoutProvider("0", [noted], () => () => undefined);
  const homeOf = async (embedded: boolean, recorded: string): Promise<string> => {
    await provider.delete("id", urnOf("Noted"), { site: JSON.stringify({ stack: "staging", home: recorded, server: { embedded } }) });
    return homes.at(-1)!;
  };
  const madeHome = (stack: string): string => {
    const home = join(folder, stack);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "stack.json"), JSON.stringify({ name: stack }));
    return home;
  };

  it("BACKOUT_HOME counts where nothing is at the recorded place, and is never another stack's", async () => {
    const [own, others, elsewhere] = [madeHome("staging"), madeHome("production"), join(folder, "new")];
    process.env["BACKOUT_HOME"] = elsewhere;
    expect(await homeOf(false, "/nowhere/staging")).toBe(elsewhere);
    expect(await homeOf(false, own)).toBe(own);
    process.env["BACKOUT_HOME"] = others;
    expect(await homeOf(false, "/nowhere/staging")).toBe("/nowhere/staging");
    // Its data is at the recorded place alone.
    process.env["BACKOUT_HOME"] = elsewhere;
    expect(await homeOf(true, "/nowhere/staging")).toBe("/nowhere/staging");
  });
});
