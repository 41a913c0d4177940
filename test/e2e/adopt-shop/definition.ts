/** A shop whose database was there before: PostgreSQL, migrated by hand. */
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { definition as inFile } from "../order-shop/definition.ts";

export const definition = {
  ...inFile,
  folder: import.meta.dirname,
  services: { app: { ...inFile.services["app"]!, databases: ["shop"] } },
  databases: {
    shop: {
      engine: "postgres",
      ledger: "prisma",
      migrations: ["1_orders", "2_notes"].map((name) => ({ name, path: `migrations/${name}` })),
      tables: ["orders"],
      principalTable: "orders",
    },
  },
} as unknown as SystemDefinition;
