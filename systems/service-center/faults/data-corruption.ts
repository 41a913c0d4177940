import type { DrillContext, FaultDefinition } from "../../../config/system/drill.ts";
import { login, request } from "../api.ts";
import { DATABASE } from "../database.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchApp } from "./switch.ts";

export const dataCorruption: FaultDefinition = {
  title: "Every write gives other tickets to a customer of another tenant",
  scope: "full",
  switchOn: switchCorruptionOn,
  probe: foreignCustomers,
};

export async function switchCorruptionOn(context: DrillContext): Promise<void> {
  await switchApp(context, "data-corruption");
  // The damage comes with writes; this makes one in case no other client writes now.
  const access = accessOf(context);
  await request(access, await login(access), "/api/tickets", { method: "POST", body: { subject: "made by a drill" } });
}

export async function foreignCustomers(context: DrillContext): Promise<string | null> {
  const { rows } = await (
    await context.database(DATABASE)
  ).query<{ rows: number }>(
    "SELECT count(*)::int AS rows FROM service_tickets t JOIN customers c ON c.id = t.customer_id WHERE c.tenant_id <> t.tenant_id",
  );
  const damaged = rows[0]?.rows ?? 0;
  return damaged > 0 ? `${damaged} tickets belong to a customer of another tenant` : null;
}
