/** How a program of the kit is described: its entry, its health, and what its environment holds besides its configuration. */
import { process } from "../../components/workloads.ts";
import type { ServiceArgs } from "../../components/define.ts";
import type { WitnessScript } from "../../config/system/drill.ts";
import type { Access } from "./client.ts";
import type { EnvironmentContext } from "../../config/system/service.ts";

/** Logging in writes nothing. */
export const READ_ONLY = [{ method: "POST", path: "/api/auth/login" }];

export interface KitProgram {
  database: string;
  kind?: "worker";
  health?: string;
  /** Names of secrets, by variable. */
  secrets?: Record<string, string>;
}

export function kitProgram({ database, kind, health = "/health", secrets = {} }: KitProgram): ServiceArgs {
  const environment = (context: EnvironmentContext): Record<string, string> => ({
    ...context.config,
    PORT: String(context.port),
    RELEASE: context.release,
    DATABASE_URL: context.databaseUrl(database),
    ...Object.fromEntries(Object.entries(secrets).map(([variable, secret]) => [variable, context.secret(secret)])),
  });
  return {
    ...(kind === undefined ? {} : { kind }),
    readOnlyAllow: READ_ONLY,
    run: process({ entry: "main.ts", environment }),
    health: { path: health, body: '"status":"healthy"', timeoutMs: 20_000 },
  };
}

export interface KitWitness extends Pick<WitnessScript, "service" | "table" | "key" | "value"> {
  username: string;
  secret: string;
  /** Where rows are written by POST, and each by its id by PUT and DELETE. */
  path: string;
  /** What a new row needs besides its key and value. */
  more?: Record<string, string>;
}

/** A witness that logs in and writes as the programs of the kit have it: a field is called as its column, `ticketNumber` for `ticket_number`. */
export function kitWitness({ username, secret, path, more, ...rest }: KitWitness): WitnessScript {
  const field = (column: string): string => column.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const [id, value] = [{ [field(rest.key)]: "{{id}}" }, { [field(rest.value)]: "{{value}}" }];
  const body = { username, password: `{{secret:${secret}}}` };
  return {
    login: { method: "POST", path: "/api/auth/login", body, tokenField: "token" },
    insert: { method: "POST", path, body: { ...more, ...id, ...value } },
    update: { method: "PUT", path: `${path}/{{id}}`, body: value },
    delete: { method: "DELETE", path: `${path}/{{id}}` },
    ...rest,
  };
}

/** A read probe of somebody who is logged in. */
export const probeOf =
  (login: (access: Access) => Promise<string>, read: (access: Access, token: string) => Promise<unknown>) =>
  async (access: Access): Promise<() => Promise<void>> => {
    const token = await login(access);
    return async () => void (await read(access, token));
  };
