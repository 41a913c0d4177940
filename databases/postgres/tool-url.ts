/** The url by which a user's own tool reaches a database as backout's administrative role, at work as the owner of the objects. */
import type { Endpoint } from "../../config/endpoint.ts";
import type { ToolPlace } from "../shared/migrations/tool.ts";
import { passwordOf } from "./connection.ts";

/** @param owner role that what the tool makes shall belong to */
export function toolPlace(endpoint: Endpoint, database: string, owner: string): ToolPlace {
  const password = passwordOf(endpoint) ?? "";
  const socket = endpoint.host.startsWith("/");
  const host = socket ? "" : endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  const settings = [
    // As backout's own session; some drivers insist on TLS where nothing is said.
    `sslmode=${process.env["PGSSLMODE"] ?? "disable"}`,
    ...(socket ? [`host=${encodeURIComponent(endpoint.host)}`] : []),
    // libpq, node-postgres, pgx and Prisma take it from here; a role's name in it needs its blanks escaped.
    ...(owner === endpoint.user ? [] : [`options=${encodeURIComponent(`-c role=${owner.replaceAll(/([\s\\])/g, "\\$1")}`)}`]),
  ];
  const user = `${encodeURIComponent(endpoint.user)}${password === "" ? "" : `:${encodeURIComponent(password)}`}`;
  return {
    url: `postgresql://${user}@${host}:${endpoint.port}/${encodeURIComponent(database)}?${settings.join("&")}`,
    secrets: [...new Set([password, encodeURIComponent(password)])].filter((secret) => secret !== ""),
  };
}
