/** Snapshot drivers by name. */
import type { Client } from "pg";
import { endpointOf, serverOf, type Site } from "../../../config/site.ts";
import type { DriverName, SnapshotDriver } from "../drivers/driver.ts";
import { dumpDriver } from "../drivers/dump.ts";
import { templateDriver } from "../drivers/template.ts";

export type { DriverName };

/** The declared driver of a server whose databases can be renamed. */
export function declaredDriver(site: Site): DriverName {
  const { driver } = serverOf(site);
  if (driver === "in-place") throw new Error("a database in place has no copies beside it");
  return driver;
}

/** @param admin session in the state database. */
export function driverFor(site: Site, admin: Client, name: DriverName): SnapshotDriver {
  return name === "dump" ? dumpDriver({ endpoint: endpointOf(site), admin }) : templateDriver({ admin });
}
