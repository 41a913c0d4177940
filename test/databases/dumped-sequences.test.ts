import { expect, test } from "vitest";
import { sequenceValues } from "../../databases/postgres/drivers/dumped-sequences.ts";

test("what a dump sets sequences to, under the names that a manifest has", () => {
  const script = `
SELECT pg_catalog.setval('public.orders_id_seq', 5000, true);
SELECT pg_catalog.setval('public.never', 1, false);
SELECT pg_catalog.setval('"odd.schema"."it''s ""one"""', -7, true);
COPY public.orders (what) FROM stdin;
SELECT pg_catalog.setval('public.in_a_row', 1, true); and more
`;
  expect(sequenceValues(script)).toEqual({ orders_id_seq: "5000", never: null, '"odd.schema"."it\'s ""one"""': "-7" });
});
