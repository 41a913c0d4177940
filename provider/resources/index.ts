/** The provider's resources. */
import type { Resource } from "../resource.ts";
import { service } from "./service.ts";
import { constraints } from "./constraints.ts";
import { database } from "./database.ts";
import { embeddedPostgres } from "./embedded-postgres.ts";
import { fence } from "./fence.ts";
import { flags } from "./flags.ts";
import { open } from "./open.ts";
import { plan } from "./plan.ts";
import { finalize } from "./finalize.ts";
import { start } from "./start.ts";
import { snapshots } from "./snapshots.ts";
import { trafficGate } from "./traffic-gate.ts";
import { verification } from "./verification.ts";

/** In the order of one update. */
export const RESOURCES = [
  embeddedPostgres,
  trafficGate,
  plan,
  fence,
  snapshots,
  database,
  constraints,
  flags,
  service,
  start,
  verification,
  open,
  finalize,
] as unknown as readonly Resource[];
