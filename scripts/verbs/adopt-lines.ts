/** What adopting finds and does, as a person reads it. Pure. */
import type { AdoptionReport, FoundService } from "../../rollout/adopt/look.ts";
import type { FoundDatabase } from "../../databases/shared/adoption.ts";

/** How many tables are listed. */
const TABLES = 10;

export function adoptionLines({ stack, release, databases, services, does, refused }: AdoptionReport): string[] {
  return [
    `${stack}: ${release} is taken for the release that runs`,
    ...Object.entries(databases).flatMap(([name, found]) => databaseLines(name, found)),
    ...services.flatMap(serviceLines),
    ...(refused.length > 0
      ? ["adopting would be refused:", ...refused.map((line) => `  ${line}`)]
      : ["adopting:", ...does.map((line) => `  ${line}`)]),
  ];
}

function serviceLines({ name, kind, running, ports }: FoundService): string[] {
  const title = `service ${name} (${kind})${running === null ? "" : running ? ", runs" : ", does not run"}`;
  if (ports.length === 0) return [`${title}: uses no port`];
  return ports.map(({ port, use, heldBy, taken }) => {
    const there = heldBy === null ? "free" : `${heldBy}${taken ? "; end it, or declare another port, before the next deployment" : ""}`;
    return `${title}: port ${port} for ${use === "users" ? "users" : "the service itself"}: ${there}`;
  });
}

function databaseLines(name: string, found: FoundDatabase): string[] {
  const { live, place, sizeBytes, owner, tables, grants, sessions, ledgers, extensions, limits, notes } = found;
  const more = tables.length > TABLES ? [`and ${tables.length - TABLES} more`] : [];
  const line = (title: string, values: readonly string[], none: string): string =>
    `  ${title}: ${values.length === 0 ? none : values.join(", ")}`;
  return [
    `database ${name}: ${live} at ${place}, ${megabytes(sizeBytes)}, belongs to ${owner}`,
    line(
      "tables",
      [...tables.slice(0, TABLES).map(({ name: table, rows }) => `${table} (about ${Math.round(rows)} rows)`), ...more],
      "none",
    ),
    line(
      "rights",
      grants.map(({ grantee, privileges }) => `${grantee ?? "everybody"} ${privileges.join("+")}`),
      "none",
    ),
    line(
      "in it now",
      sessions.map(
        ({ application, role, count }) => `${application === "" ? "unnamed" : application} as ${role}${count === 1 ? "" : ` × ${count}`}`,
      ),
      "nobody",
    ),
    line(
      "migrations",
      ledgers.map(({ name: ledger, declared, head, applied }) =>
        applied === null
          ? `${ledger}, another tool's`
          : `${ledger}${declared ? " (declared)" : ""} ${head === null ? "records none" : `at ${head}, ${applied} recorded`}`,
      ),
      "no ledger",
    ),
    line(
      "extensions",
      extensions.map(({ name: extension, version, schema }) => `${extension} ${version} in ${schema}`),
      "none",
    ),
    ...limits.map((limit) => `  limit: ${limit}`),
    ...notes.map((note) => `  note: ${note}`),
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
