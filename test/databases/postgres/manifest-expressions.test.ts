import { expect, it } from "vitest";
import { withCastsInside } from "../../../databases/postgres/manifest-expressions.ts";

it.each([
  [
    "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
    "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
  ],
  ["(ARRAY[1, lower(a, b)])::numeric(10,2)[]", "ARRAY[(1)::numeric(10,2), (lower(a, b))::numeric(10,2)]"],
  ['(ARRAY[a])::"Odd, ]"."T"[]', 'ARRAY[(a)::"Odd, ]"."T"]'],
  [
    "(ARRAY['it''s, [x]', ARRAY[1, 2]])::text[] OR (ARRAY[b])::text[]",
    "ARRAY[('it''s, [x]')::text, (ARRAY[1, 2])::text] OR ARRAY[(b)::text]",
  ],
])("moves the cast of an array to its elements: %s", (shown, moved) => {
  expect(withCastsInside(shown)).toBe(moved);
  expect(withCastsInside(moved)).toBe(moved);
});

it.each([
  "'(ARRAY[a])::text[]'",
  '"(ARRAY[a])::text[]"',
  "(ARRAY[a, b])",
  "(ARRAY[a, b])::text",
  "(ARRAY[a, b",
  "(ARRAY['a]",
  "((a OR b) AND c)",
  "(a OR (b AND c))",
  "",
])("leaves %s as it is", (text) => {
  expect(withCastsInside(text)).toBe(text);
});
