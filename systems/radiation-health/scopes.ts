/**
 * The procedures of the manual as sets of pins. It gives times only by class (5, 15 and 60 minutes): each scope has the time of the most
 * urgent class it answers, and its phases share it.
 */
import type { ServiceScope, ScopeDefinition } from "../../config/system/definition.ts";
import { CHECKS } from "./checks/all.ts";
import { services } from "./services.ts";
import { DATABASE_SETTINGS, MONITORING } from "./settings.ts";

const MINUTE = 60;
/** Time to act by class, seconds. */
const CLASS_SECONDS = { immediate: 5 * MINUTE, fast: 15 * MINUTE, planned: 60 * MINUTE };
/** Sixtieths of the whole. */
const SHARES = { fence: 10, snapshot: 5, data: 15, install: 5, start: 12, verify: 10, open: 1, finalize: 2 };

function within(budgetSeconds: number): Pick<ScopeDefinition, "budgetSeconds" | "phaseBudgets" | "checks"> {
  const phaseBudgets = Object.fromEntries(Object.entries(SHARES).map(([phase, share]) => [phase, (budgetSeconds / 60) * share]));
  return { budgetSeconds, phaseBudgets, checks: CHECKS.map(({ id }) => id) };
}

const every = (asked: ServiceScope): Record<string, ServiceScope> => Object.fromEntries(Object.keys(services).map((name) => [name, asked]));

export const scopes: Record<string, ScopeDefinition> = {
  emergency: {
    title: "Emergency: code and configuration of all five services, and the data from the snapshot before the deployment",
    useWhen: "The system is down, its data is corrupt, or its alerts do not reach anybody: readings taken since are set aside and exported",
    ...within(CLASS_SECONDS.immediate),
    pins: { release: "to", services: every({ config: "ledger" }), data: "snapshot", schema: "keep" },
  },
  database: {
    title: "Database: only the data is restored; all five services are stopped before and started after",
    useWhen: "The data is corrupt and the code is not why: readings taken since are set aside and exported",
    ...within(CLASS_SECONDS.immediate),
    pins: { data: "snapshot", schema: "keep" },
  },
  schema: {
    title: "Schema: the new tables are dropped, the former table is restored, and the code that needs them is rolled back",
    useWhen: "Only the schema is wrong; what was written into the new tables may be lost",
    ...within(CLASS_SECONDS.planned),
    pins: { release: "to", data: "current", schema: "down" },
  },
  application: {
    title: "Application: code and configuration of all five services; data and schema stay",
    useWhen: "Responses above 500 ms, more than 5 % errors, memory or database sessions that run out",
    ...within(CLASS_SECONDS.fast),
    pins: { release: "to", services: every({ config: "ledger" }), data: "current", schema: "keep" },
  },
  service: {
    title: "One service is restarted, at its current release",
    useWhen: "A single service has crashed, hangs, or leaks memory",
    ...within(CLASS_SECONDS.fast),
    pins: { service: { restart: true }, data: "current", schema: "keep" },
  },
  "service-release": {
    title: "One service is rolled back to the earlier release, the others stay",
    useWhen: "A single service is wrong in the newer release, and the earlier one can work with the others",
    ...within(CLASS_SECONDS.fast),
    pins: { service: { release: "to" }, data: "current", schema: "keep" },
  },
  "environment-config": {
    title: "Environment: every setting of the ledger is restored, all five services restart with it",
    useWhen: "An override of a release's setting breaks the system",
    ...within(CLASS_SECONDS.fast),
    pins: { services: every({ config: "ledger", restart: true }), data: "current", schema: "keep" },
  },
  "database-config": {
    title: "Database configuration: the API's database settings as recorded; the API restarts",
    useWhen: "The API has too few database sessions, or wrong settings for them",
    ...within(CLASS_SECONDS.fast),
    pins: { services: { "radiation-monitoring": { config: DATABASE_SETTINGS, restart: true } }, data: "current", schema: "keep" },
  },
  "monitoring-config": {
    title: "Monitoring configuration: as recorded; retention and anomaly detection restart",
    useWhen: "Limits, muted devices or retention are set wrong",
    ...within(CLASS_SECONDS.planned),
    pins: {
      services: {
        "data-retention-service": { config: MONITORING, restart: true },
        "anomaly-detection-service": { config: MONITORING, restart: true },
      },
      data: "current",
      schema: "keep",
    },
  },
};
