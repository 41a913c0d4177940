/** Checks of a system whose definition names none: its health, the number of its rows, the objects of its schema, and its error logs. */
import type { CheckDefinition } from "../../config/system/check.ts";
import { countIsRight, countingInWords } from "../../config/system/counting.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { check, failed, passed, skipped } from "./outcome.ts";
import { countAll, logCheck } from "./ready-checks.ts";

type Described = Pick<SystemDefinition, "services" | "databases" | "listeners">;

/** In the order in which they run: what reads logs comes after what causes lines in them. */
export function defaultChecks(system: Described): CheckDefinition[] {
  return [
    health(system),
    ...(Object.keys(system.databases).length === 0 ? [] : [rowCounts(system), schemaObjects(system)]),
    errorLogs(system),
  ];
}

function health({ services, listeners }: Described): CheckDefinition {
  return check("health", "Every public service answers through the gate, every other one runs", async (context) => {
    const seen: string[] = [];
    for (const [service, { health, kind }] of Object.entries(services)) {
      if (context.running[service] === false) continue;
      if (Object.hasOwn(listeners, service)) {
        const path = health?.path ?? "/";
        const response = await context.fetch(`${context.url(service)}${path}`);
        const text = await response.text();
        // Without a path of its own, any answer shows that it is there.
        const isUp = health !== undefined && health.path === undefined ? response.status < 500 : response.ok;
        if (!isUp || (health?.body !== undefined && !text.includes(health.body)))
          return failed(`${service}: ${path} answers ${response.status} ${text.trim().slice(0, 160)}`);
        seen.push(`${service} ${path} ${response.status}`);
      } else if (kind !== "static") {
        const { running, release } = await context.observe(service);
        if (!running) return failed(`${service} does not run`);
        if (release !== null && release !== context.releases[service])
          return failed(`${service} runs ${release}, declared is ${context.releases[service] ?? "none"}`);
        seen.push(`${service} runs`);
      }
    }
    return passed(seen.join(", "));
  });
}

function rowCounts({ databases }: Described): CheckDefinition {
  return check("row-counts", "Every table has the rows that were counted before", async (context) => {
    const { baseline } = context;
    if (baseline === null || Object.keys(baseline.counts).length === 0) return skipped("nothing was counted before");
    let tables = 0;
    let rows = 0;
    for (const [database, { engine }] of Object.entries(databases)) {
      const now = await countAll(context, database, engine, Object.keys(baseline.counts));
      for (const [table, count] of Object.entries(now)) {
        const before = baseline.counts[table]!;
        if (!countIsRight(context, count, before))
          return failed(
            `${table} of ${database} has ${count} rows, counted ${baseline.at} at ${baseline.release || "no release"}: ${before}`,
          );
        tables += 1;
        rows += count;
      }
    }
    return passed(`${tables} tables, ${rows} rows${countingInWords(context)}`);
  });
}

function schemaObjects({ databases }: Described): CheckDefinition {
  return check("schema-objects", "Every object of the schema that this release had is there", async (context) => {
    const { recorded } = context;
    if (recorded == null) return skipped("no objects were recorded at this release");
    const { missingObjects } = await import("../../databases/open-data.ts");
    let compared = 0;
    for (const [database, { engine }] of Object.entries(databases)) {
      const before = recorded[database];
      if (before === undefined || engine !== "postgres") continue;
      const missing = await missingObjects(context, database, before);
      if (missing.length > 0)
        return failed(`${database}: ${missing.slice(0, 5).join("; ")}${missing.length > 5 ? `; ${missing.length} in all` : ""}`);
      compared += 1;
    }
    return compared === 0 ? skipped("no objects were recorded at this release") : passed("nothing is missing");
  });
}

function errorLogs({ services }: Described): CheckDefinition {
  return logCheck({ id: "error-rate", services: Object.keys(services).filter((service) => services[service]!.kind !== "static") });
}
