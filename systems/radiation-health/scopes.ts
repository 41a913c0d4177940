/**
 * The procedures of the manual as sets of pins. It gives times only by class (5, 15 and 60 minutes): each scope has the time of the most
 * urgent class it answers, and its phases share it.
 */
import type { ScopeArgs, WatchArgs } from "../../components/define.ts";
import type { ServiceScope } from "../../config/system/definition.ts";
import { SERVICES } from "./api.ts";

const MINUTE = 60;
/** Time to act by class, seconds. */
const CLASS_SECONDS = { immediate: 5 * MINUTE, fast: 15 * MINUTE, planned: 60 * MINUTE };
/** Sixtieths of the whole. */
const SHARES = { fence: 10, snapshot: 5, data: 15, install: 5, start: 12, verify: 10, open: 1, finalize: 2 };

function within(budgetSeconds: number): Pick<ScopeArgs, "budgetSeconds" | "phaseBudgets"> {
  const phaseBudgets = Object.fromEntries(Object.entries(SHARES).map(([phase, share]) => [phase, (budgetSeconds / 60) * share]));
  return { budgetSeconds, phaseBudgets };
}

const every = (asked: ServiceScope): Record<string, ServiceScope> => Object.fromEntries(SERVICES.map((name) => [name, asked]));

/** Settings by the file that they stood in before they were declared. */
const DATABASE_SETTINGS = ["DB_POOL_MAX"];
const MONITORING = ["CSV_POLL_MS", "ANOMALY_POLL_MS", "MUTED_DEVICES", "RETENTION_DAYS", "RETENTION_POLL_SECONDS"];

const KEEP = { data: "current", schema: "keep" } as const;

export const scopes: Record<string, ScopeArgs> = {
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
    pins: { release: "to", services: every({ config: "ledger" }), ...KEEP },
  },
  service: {
    title: "One service is restarted, at its current release",
    useWhen: "A single service has crashed, hangs, or leaks memory",
    ...within(CLASS_SECONDS.fast),
    pins: { service: { restart: true }, ...KEEP },
  },
  "service-release": {
    title: "One service is rolled back to the earlier release, the others stay",
    useWhen: "A single service is wrong in the newer release, and the earlier one can work with the others",
    ...within(CLASS_SECONDS.fast),
    pins: { service: { release: "to" }, ...KEEP },
  },
  "environment-config": {
    title: "Environment: every setting of the ledger is restored, all five services restart with it",
    useWhen: "An override of a release's setting breaks the system",
    ...within(CLASS_SECONDS.fast),
    pins: { services: every({ config: "ledger", restart: true }), ...KEEP },
  },
  "database-config": {
    title: "Database configuration: the API's database settings as recorded; the API restarts",
    useWhen: "The API has too few database sessions, or wrong settings for them",
    ...within(CLASS_SECONDS.fast),
    pins: { services: { "radiation-monitoring": { config: DATABASE_SETTINGS, restart: true } }, ...KEEP },
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
      ...KEEP,
    },
  },
};

export const watches: Record<string, WatchArgs> = {
  stability: {
    title: "Two hours until the system counts as stable",
    durationMinutes: 120,
    // With every status update.
    intervalSeconds: 900,
    // None that writes, none that only compares with the time of the rollback.
    checks: [
      ...["all-online", "health", "personnel", "devices", "websocket", "no-silent-alerts"],
      ...["error-rate", "memory", "connections", "error-log"],
    ],
    pass: { limits: [{ title: "errors per request", figure: "errors", per: "requests", over: "sum", below: 0.05 }] },
  },
};
