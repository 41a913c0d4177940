import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SqliteState } from "../../databases/sqlite/state/file.ts";
import {
  claimRecord,
  ForeignStackError,
  identityAt,
  otherMachine,
  ownIdentity,
  releaseRecord,
  rememberId,
  requireHome,
  requireNotRenamed,
  requireOwn,
} from "../../state/identity.ts";
import type { Site } from "../../config/site.ts";

let folder: string;
let record: SqliteState;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-identity-"));
  record = await SqliteState.create(join(folder, "record.db"));
});
afterEach(async () => {
  await record.end();
  rmSync(folder, { recursive: true, force: true });
});

function siteIn(project: string, stack = "prod", more: Partial<Site> = {}): Site {
  const home = join(folder, project, ".backout", "stacks", more.name ?? stack);
  return { stack, system: "shop", module: null, project: join(folder, project), home, target: "process", ports: {}, files: {}, ...more };
}

describe("a record", () => {
  it("is of the stack that claimed it first: a second clone of the same name is refused, and told whose it is and how to take over", async () => {
    const [first, second] = [siteIn("first"), siteIn("second")];
    expect(await claimRecord(record, first)).toBe(false);
    expect(await claimRecord(record, first)).toBe(false);
    await requireOwn(record, first);
    const { id } = identityAt(first.home)!;
    const refused = requireOwn(record, second);
    await expect(refused).rejects.toThrow(ForeignStackError);
    await expect(refused).rejects.toThrow(`belong to stack "prod" of ${first.project} on `);
    await expect(refused).rejects.toThrow(`backout:takeOver: ${id}`);
    await expect(claimRecord(record, second)).rejects.toThrow("nothing was changed");
    expect(existsSync(second.home)).toBe(false);

    const taker = { ...second, takeOver: id };
    await requireOwn(record, taker);
    expect(await claimRecord(record, taker)).toBe(true);
    expect(await claimRecord(record, taker)).toBe(false);
    // Who had it is the stranger now.
    await expect(requireOwn(record, first)).rejects.toThrow(`of ${second.project}`);
  });

  it("is known again on another machine by the id in the engine's state", async () => {
    const first = siteIn("first");
    await claimRecord(record, first);
    const elsewhere = siteIn("laptop");
    rememberId(elsewhere.home, identityAt(first.home)!.id);
    await requireOwn(record, elsewhere);
    expect(await claimRecord(record, elsewhere)).toBe(false);
    await requireOwn(record, first);
    // With data on this machine a clone in another folder of it would begin with nothing; with a server of its own it goes on.
    expect(() => requireHome(siteIn("clone"), first)).toThrow(`has its home, with its data, in ${first.home}: nothing was changed`);
    const server = { embedded: false, host: "db.example", port: 5432, user: "owner", driver: "dump", databases: {} } as NonNullable<
      Site["server"]
    >;
    expect(() => requireHome(siteIn("clone", "prod", { server }), first)).not.toThrow();
    expect(await otherMachine(record)).toBeNull();
    await record.keep("stack", { ...(await record.kept<object>("stack")), host: "runner" });
    expect(await otherMachine(record)).toMatchObject({ host: "runner", home: elsewhere.home });
  });

  it("of another stack name is refused with the name under which it is kept", async () => {
    const prod = siteIn("first");
    await claimRecord(record, prod);
    const { id } = identityAt(prod.home)!;
    const renamed = siteIn("first", "production");
    rememberId(renamed.home, id);
    await expect(requireOwn(record, renamed)).rejects.toThrow(/stack "production" has its roles and its home .* under the name "prod"/);
    await expect(requireOwn(record, renamed)).rejects.toThrow("Set backout:keptAs: prod");
    await claimRecord(record, siteIn("first", "production", { name: "prod" }));
    expect(identityAt(prod.home)).toMatchObject({ id, stack: "production", name: "prod" });
  });

  it("is nobody's after it was released", async () => {
    const [first, second] = [siteIn("first"), siteIn("second")];
    await claimRecord(record, first);
    await releaseRecord(record);
    expect(await claimRecord(record, second)).toBe(false);
    await expect(requireOwn(record, first)).rejects.toThrow(ForeignStackError);
  });
});

describe("a home", () => {
  it("that is a copy is told from one that was moved", async () => {
    const first = siteIn("first");
    await claimRecord(record, first);
    const { id } = identityAt(first.home)!;
    const copy = siteIn("copy");
    mkdirSync(join(copy.home, ".."), { recursive: true });
    cpSync(first.home, copy.home, { recursive: true });
    expect(() => requireHome(copy)).toThrow(`${copy.home} is a copy of ${first.home}`);
    expect(() => requireHome(first)).not.toThrow();
    expect(await claimRecord(record, { ...copy, takeOver: id })).toBe(true);
    expect(identityAt(copy.home)!.id).not.toBe(id);
    expect(() => requireHome(copy)).not.toThrow();

    const moved = siteIn("moved");
    mkdirSync(join(moved.home, ".."), { recursive: true });
    renameSync(first.home, moved.home);
    expect(() => requireHome(moved)).not.toThrow();
    expect(ownIdentity(moved)).toMatchObject({ id, home: moved.home });
  });

  it("of a renamed stack is found: by where the state says it was, and by a home without a stack file", () => {
    const before = siteIn("first", "staging");
    ownIdentity(before);
    const now = siteIn("first", "production");
    expect(() => requireHome(now, before)).toThrow("Set backout:keptAs: staging");
    expect(() => requireNotRenamed(now, ["production"])).toThrow("Set backout:keptAs: staging");
    expect(() => requireNotRenamed(now, ["production", "staging"])).not.toThrow();
    const named = siteIn("first", "production", { name: "staging" });
    expect(() => requireHome(named, before)).not.toThrow();
    expect(() => requireNotRenamed(named, ["production"])).not.toThrow();
  });

  it("that is gone, as on a machine that never had it, refuses nothing", () => {
    const before = siteIn("gone", "staging");
    expect(() => requireHome(siteIn("first", "staging"), before)).not.toThrow();
  });
});
