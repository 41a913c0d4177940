/** Snapshot drivers by name. */
import type { Client } from "pg";
import { endpointOf, type Site } from "../../../declared/site.ts";
import type { SnapshotDriver } from "../../../postgres/drivers/driver.ts";
import { dumpDriver } from "../../../postgres/drivers/dump.ts";
import { templateDriver } from "../../../postgres/drivers/template.ts";

export type DriverName = "template" | "dump";

/** @param control session in the control database. */
export function driverFor(site: Site, control: Client, name: DriverName): SnapshotDriver {
  return name === "dump" ? dumpDriver({ endpoint: endpointOf(site), control }) : templateDriver({ control });
}
