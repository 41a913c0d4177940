/** What a preview says, as lines: what a person must not overlook is a warning. */
import { expect, test } from "vitest";
import { losses, type AtRisk } from "../../rollout/at-risk.ts";
import { newWritesRefusals, type RolloutPreview } from "../../rollout/preview.ts";
import { previewLines } from "../../rollout/preview-lines.ts";

const RESTORED = {
  action: { kind: "restore" as const, snapshot: "before-v2", generation: 1, again: 0 },
  migrations: { up: [], back: [], backBy: "keep" },
  atRisk: {
    how: "counted" as const,
    unknown: {},
    notCompared: [],
    notes: [],
    rows: { orders: { inserted: 2, updated: 1, deleted: 0 }, users: { inserted: 0, updated: 0, deleted: 0 } },
  },
  unknown: null,
  standby: true,
  putBack: null,
};

/** Of a way back, unless it is said to lead forward. */
function lines(changes: Partial<RolloutPreview> = {}, forward = false): string[] {
  const preview: RolloutPreview = {
    ...(forward ? {} : { back: true }),
    scope: "restore",
    from: "v2",
    to: "v1",
    changes: ["api: v2 → v1"],
    stops: ["worker", "api"],
    usersKeptOut: true,
    take: [],
    databases: { shop: RESTORED },
    effects: [],
    estimate: { seconds: 2.5, basis: "median of the last 3 like it" },
    ...changes,
  };
  return previewLines(preview).map(({ severity, line }) => `${severity === "warning" ? "! " : "  "}${line}`);
}

test("a restore: what changes, what is at risk, that the way has its standby copy, and how long it takes", () => {
  expect(lines()).toEqual([
    "  v2 → v1 (scope restore)",
    "  api: v2 → v1",
    "  shop: restored from before-v2@1; what is there now goes into quarantine",
    "  shop: the snapshot has its standby copy: the cut-over is a rename",
    "! shop: rows at risk (counted) in orders: 2 inserted, 1 updated, 0 deleted; kept in quarantine and export",
    "  shop: to put back those of these rows that the schema can hold: backout:newWrites: reapply, or --new-writes reapply of the verb",
    "  stops, in this order: worker, api",
    "  users get 503 for about 2.5 s (median of the last 3 like it)",
  ]);
});

test("a snapshot that has no standby copy is warned of, with the reason, and its copy is made before users are kept out", () => {
  const withoutStandby = { ...RESTORED, standby: false, noStandby: "its copy differs", copyFirstSeconds: 12 };
  expect(lines({ databases: { shop: withoutStandby } })).toContain(
    "! shop: the snapshot has NO standby copy (its copy differs): the copy is made first, in about 12 s, while users are in; or wait until status shows a standby copy",
  );
  expect(
    lines({ databases: { shop: { ...RESTORED, standby: false, inPlace: true, noStandby: "the schema changed since it was tried" } } }),
  ).toContain("! shop: restoring the snapshot over the current data was not tested (the schema changed since it was tried)");
});

test("data that stays when the release goes back is said, and nobody is told of it on the way forward", () => {
  const stays = { shop: { ...RESTORED, action: { kind: "none" as const }, atRisk: null, standby: null } };
  const said = "! shop: data stays as it is: what the newer release wrote is NOT reverted";
  expect(lines({ databases: stays })).toContain(said);
  expect(lines({ databases: stays }, true)).not.toContain(said);
});

test("effects that cannot come back: how many, none, or that nobody knows", () => {
  const effect = { service: "worker", title: "orders sent to the warehouse" };
  const told = lines({
    effects: [
      { ...effect, rows: 7 },
      { ...effect, rows: 0 },
      { ...effect, rows: null, unknown: "permission denied for table orders" },
    ],
  }).filter((line) => line.includes("cannot be undone"));
  expect(told).toEqual([
    "! cannot be undone: orders sent to the warehouse (worker): 7",
    "! cannot be undone: orders sent to the warehouse (worker): unknown number: permission denied for table orders",
  ]);
});

test("pinned maintenance is told for what it is: users stay out, or cannot write, and what they read", () => {
  const full = lines({ usersKeptOut: false, maintenance: { mode: "full", message: "Back at 6" } });
  expect(full.at(-1)).toBe("! maintenance full: users are kept out (503) until backout:maintenance is lifted; they read: Back at 6");
  expect(full.join("\n")).not.toContain("users are not kept out");
  const readOnly = lines({ usersKeptOut: false, maintenance: { mode: "read-only", message: "" } });
  expect(readOnly.at(-1)).toBe(
    "! maintenance read-only: users can read and not write (writes get 503) until backout:maintenance is lifted",
  );
});

test("no rows at risk is no warning", () => {
  const none = { ...RESTORED, atRisk: { ...RESTORED.atRisk, rows: { orders: { inserted: 0, updated: 0, deleted: 0 } } } };
  expect(lines({ databases: { shop: none } })).toContain("  shop: no rows at risk (counted)");
});

test("what is not known and what is not compared is named, and no estimate says that there is nothing", () => {
  const nothing = { rows: {}, unknown: {}, notCompared: [], notes: [] };
  const told = (atRisk: Partial<AtRisk>) =>
    lines({ databases: { shop: { ...RESTORED, atRisk: { ...nothing, how: "estimated", ...atRisk } } } });
  expect(told({ how: "counted" })).toContain("  shop: no rows at risk (counted)");
  expect(told({})).toContain("  shop: no row written since by the server's counters (estimated); --exact counts");
  expect(told({ unknown: { orders: "it was dropped" } })).toContain(
    "! shop: rows at risk in orders are unknown: it was dropped; --exact counts them",
  );
  const bare = { name: "bare", kind: "virtual table", why: "no text", mayBeLost: true };
  const named = told({ how: "counted", notCompared: [bare, { ...bare, name: "far", kind: "foreign table", mayBeLost: false }] });
  expect(named).toContain("! shop: not compared and in no export: virtual table bare: no text");
  expect(named).toContain("  shop: not compared and in no export: foreign table far: no text");
  expect(named.join()).not.toContain("no rows at risk");
});

test("values that no export will hold are named before; large objects are told as not put back, where rows are", () => {
  const rows = { "pg_catalog.pg_largeobject": { inserted: 1, updated: 0, deleted: 0 } };
  const large = { name: "docs, column data", kind: "values of", why: "too large", mayBeLost: true, compared: true as const };
  const atRisk = { ...RESTORED.atRisk, rows, notCompared: [large] };
  const notPutBack =
    "! shop: large objects are not put back (newWrites: reapply); rows that refer to a newer one are left out and reported";
  const told = (putBack: number | null) => lines({ databases: { shop: { ...RESTORED, atRisk, putBack } } });
  expect(told(null)).toContain("! shop: in no export: values of docs, column data: too large");
  expect(told(null)).not.toContain(notPutBack);
  expect(told(0)).toContain(notPutBack);
  expect(losses(atRisk)).toContain("values of docs, column data, which is in no export: too large");
});

test("a table that the definition lists and no release has is told", () => {
  expect(lines({ databases: { shop: { ...RESTORED, unknownTables: ["ordrs"] } } })).toContain(
    '! shop: "tables" of the definition lists ordrs, which neither the database nor a migration has: correct the name',
  );
});

test("newWrites: reject refuses for rows of any table, for what is unknown, and for what is not compared and may be lost", () => {
  const nothing: AtRisk = { rows: { a: { inserted: 0, updated: 0, deleted: 0 } }, how: "counted", unknown: {}, notCompared: [], notes: [] };
  const bare = { name: "bare", kind: "virtual table", why: "no text", mayBeLost: true };
  expect(losses(nothing)).toEqual([]);
  expect(losses({ ...nothing, notCompared: [{ ...bare, mayBeLost: false }] })).toEqual([]);
  expect(
    losses({ ...nothing, notCompared: [bare], unknown: { o: "it was dropped" }, rows: { x: { inserted: 1, updated: 0, deleted: 2 } } }),
  ).toEqual(["x: 1 inserted, 0 updated, 2 deleted", "o: unknown, it was dropped", "virtual table bare, which is not compared: no text"]);
});

test("newWrites: reject refuses a plan for what is counted; what is estimated is counted in the fence first", () => {
  expect(newWritesRefusals({ databases: { shop: RESTORED }, to: "v1" }, "reject", false)).toEqual([
    'backout:newWrites is "reject" and 3 rows of shop were written since (orders: 2 inserted, 1 updated, 0 deleted). ' +
      'Set backout:newWrites to "export" to keep them as files, or pin other data than v1\'s.',
  ]);
  expect(newWritesRefusals({ databases: { shop: RESTORED }, to: "v1" }, "export", false)).toEqual([]);
  expect(newWritesRefusals({ databases: { shop: { ...RESTORED, atRisk: null } }, to: "v1" }, "reject", false)).toEqual([]);
  // Begun before, it may have closed its fence: only that opens again what it closed.
  expect(newWritesRefusals({ databases: { shop: RESTORED }, to: "v1" }, "reject", true)).toEqual([]);
  const estimated = { ...RESTORED, atRisk: { ...RESTORED.atRisk, how: "estimated" as const } };
  expect(newWritesRefusals({ databases: { shop: estimated }, to: "v1" }, "reject", false)).toEqual([]);
});

test("who keeps users out: a command of the balancer's, or nobody, and then what users see", () => {
  expect(lines({ keptOutBy: "nginx-site close shop" })).toContain(
    "  users are kept out for about 2.5 s (median of the last 3 like it) by: nginx-site close shop",
  );
  expect(lines({ keptOutBy: null, withoutAnswer: ["api"] })).toContain(
    "! nobody keeps users out (traffic: none): for about 2.5 s (median of the last 3 like it) they get no answer from api; what starts serves them before it is verified; only the data is fenced",
  );
  expect(lines({ keptOutBy: null, withoutAnswer: [] })).toContainEqual(expect.stringContaining("those that need the data fail"));
  expect(lines({ usersKeptOut: false, keptOutBy: null })).toContain("  users are not kept out");
});
