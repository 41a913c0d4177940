import { describe, expect, it } from "vitest";
import { hasHeader, readHeader, type CheckHeader } from "../../../config/checks/header.ts";

const KNOWN = { databases: ["shop", "stock"], scopes: ["code", "full"], secrets: ["admin"], sql: true };
const read = (text: string, marks = ["--"]): CheckHeader => readHeader("verify/a.sql", text, marks, KNOWN);
const PLAIN: CheckHeader = { title: null, database: null, writes: false, scopes: null, timeoutMs: 60_000, secrets: [], shows: null };

describe("the head of a check's file", () => {
  it("declares everything, in any order, after the line of the interpreter", () => {
    const text =
      "#!/usr/bin/env -S npx zx\n\n// timeout: 1.5s\n// writes: true\n// title: Orders: all of them\n// scopes: code, full\n// database: stock\n// secrets: admin\nconst a = 1; // title: other";
    expect(read(text, ["//"])).toEqual({
      title: "Orders: all of them",
      database: "stock",
      writes: true,
      scopes: ["code", "full"],
      timeoutMs: 1500,
      secrets: ["admin"],
      shows: null,
    });
  });

  it("is not there in a file without one, or with prose only, and a byte order mark or CR LF is no part of it", () => {
    for (const text of ["", "SELECT 1", "-- Finds orders of nobody.\n-- Slow: an hour.\nSELECT 1", "SELECT 1; -- title: late"])
      expect(read(text)).toEqual(PLAIN);
    expect(read("\uFEFF-- title: One\r\n-- timeout: 2m\r\nSELECT 1")).toEqual({ ...PLAIN, title: "One", timeoutMs: 120_000 });
    expect(hasHeader("# title: One", ["#"])).toBe(true);
    expect(hasHeader("# Notes\n", ["#"])).toBe(false);
  });

  it("has a query whose lines may be indented", () => {
    const text = "-- title: One\n-- shows: SELECT count(*) AS orders\n--   FROM orders\n-- timeout: 2m\n--   FROM nowhere\nSELECT 1";
    expect(() => read(text)).toThrow(/a\.sql:5: "FROM nowhere".*must be `key: value`/);
    expect(read(text.replace("--   FROM nowhere\n", ""))).toMatchObject({
      shows: "SELECT count(*) AS orders FROM orders",
      timeoutMs: 120_000,
    });
    expect(() => readHeader("a.mjs", "// shows: SELECT 1", ["//"], { ...KNOWN, sql: false })).toThrow(/a\.mjs:1: .*in an SQL file/);
  });

  it("ends at an empty line: prose may follow", () => {
    expect(read("-- title: One\n\n-- writes: everything\nSELECT 1")).toEqual({ ...PLAIN, title: "One" });
  });

  it.each([
    ["a slip in a key", "-- titl: One", /verify\/a\.sql:1: "titl" is not allowed: not a key.*did you mean `title`/],
    ["an unknown key beside a known one", "-- title: One\n-- owner: me", /a\.sql:2: "owner".*not a key/],
    ["prose in it", "-- title: One\n-- as we agreed", /a\.sql:2: "as we agreed".*must be `key: value`.*empty line before prose/],
    ["a key without a colon", "-- title: One\n-- writes true", /a\.sql:2: "writes true"/],
    ["an unknown database", "-- title: One\n-- database: shopp", /a\.sql:2: "shopp".*no database.*shop, stock.*did you mean `shop`/],
    ["an unknown scope", "-- scopes: code, ful", /a\.sql:1: "ful".*no scope.*did you mean `full`/],
    ["an unknown secret", "-- secrets: root", /a\.sql:1: "root".*no secret of the definition, only admin/],
    ["writes that are neither", "-- writes: yes", /a\.sql:1: "yes".*must be `true`/],
    ["a time without a unit", "-- timeout: 30", /a\.sql:1: "30".*30s, 500ms or 2m/],
    ["what it shows that is no query", "-- shows: DELETE FROM orders", /a\.sql:1: "DELETE.*begins with SELECT or WITH/],
    ["no time at all", "-- timeout: 0s", /a\.sql:1: "0s"/],
    ["two hours", "-- timeout: 120m", /a\.sql:1: "120m".*at most 60m/],
    ["a key twice", "-- title: One\n-- title: Two", /a\.sql:2: "title".*declared twice/],
    ["a key without a value", "-- title:\n-- timeout: 1s", /a\.sql:1: "".*needs a value/],
  ])("refuses %s, with file and line", (_what, text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});
