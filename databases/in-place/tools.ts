/** The client tools at work on a database in place: dumping its own part of it, and turning a dump into one script. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import type { Client } from "pg";
import { APPLICATION_NAME, passwordOf } from "../postgres/connection.ts";
import { type Endpoint } from "../../config/endpoint.ts";
import { toolOptions } from "../postgres/session-settings.ts";
import { ClientToolsMissingError, findClientTools, type ClientTools } from "../postgres/drivers/client-tools.ts";
import { DumpToolError } from "../postgres/drivers/dump.ts";

/** @throws ClientToolsMissingError */
export async function toolsOf(client: Client): Promise<ClientTools> {
  const { rows } = await client.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major");
  const major = rows[0]?.major ?? 0;
  const tools = await findClientTools(major);
  if (!existsSync(tools.psql)) throw new ClientToolsMissingError("psql", major, [tools.pgDump]);
  return tools;
}

type Tool = "pgDump" | "pgRestore" | "psql";

export function startTool(
  tools: ClientTools,
  tool: Tool,
  args: readonly string[],
  endpoint: Endpoint,
  stdio: ("ignore" | "pipe")[],
): ChildProcess {
  const password = passwordOf(endpoint);
  return spawn(tools[tool], args, {
    // The password goes through the environment, which only the same user can read.
    env: {
      PATH: process.env["PATH"] ?? "",
      LC_ALL: "C",
      PGAPPNAME: APPLICATION_NAME,
      PGCLIENTENCODING: "UTF8",
      PGOPTIONS: toolOptions(Number.parseInt(tools.version, 10)),
      ...(password === undefined ? {} : { PGPASSWORD: password }),
    },
    stdio,
  });
}

/** Resolves with what the tool wrote to standard output. @throws DumpToolError */
export async function runTool(tools: ClientTools, tool: Tool, args: readonly string[], endpoint: Endpoint): Promise<string> {
  const child = startTool(tools, tool, args, endpoint, ["ignore", "pipe", "pipe"]);
  let [out, err] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (err = (err + text).slice(-8_000)));
  const code = await ended(child);
  if (code !== 0) throw new DumpToolError(tools[tool], code, err.trim());
  return out;
}

export function ended(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
}

export function serverArguments({ host, port, user }: Endpoint): string[] {
  return [`--host=${host}`, `--port=${port}`, `--username=${user}`];
}

/** A bare name with `=` in it would be read as a connection string. */
export function connectionString(database: string): string {
  return `dbname='${database.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Entries of a dump that are left out: they belong to the server or its provider, or are brought back otherwise. */
const NEVER =
  /^\d+; \d+ \d+ (EXTENSION|COMMENT - EXTENSION|ACL - FOREIGN|SCHEMA|ACL - SCHEMA|COMMENT - SCHEMA public|SERVER|COMMENT - SERVER|USER MAPPING|FOREIGN DATA WRAPPER|PUBLICATION TABLES IN SCHEMA|SUBSCRIPTION|EVENT TRIGGER|COMMENT - EVENT TRIGGER|DEFAULT ACL|MATERIALIZED VIEW DATA) /;
/** What reading rows does not need, and what another server may not have the roles, tables and servers for. */
const NOT_TO_READ =
  /^\d+; \d+ \d+ (POLICY|ROW SECURITY|TRIGGER|ACL|DEFAULT ACL|RULE|FK CONSTRAINT|FOREIGN TABLE|PUBLICATION|PUBLICATION TABLE|COMMENT|STATISTICS|SECURITY LABEL) /;

export interface Choice {
  purpose: "restore" | "read";
  /** Objects to leave out, as catalog and OID: `1259 16500`. */
  without: readonly string[];
  /** Publications that are there already. */
  publications?: readonly string[];
}

/** OIDs of catalogs. */
const [PG_CLASS, PG_PUBLICATION] = ["1259", "6104"];

/** The table of contents a script is made from. */
export function chosenEntries(list: string, { purpose, without, publications = [] }: Choice): string {
  const chosen = (line: string): boolean => {
    const [, catalog, oid] = /^\d+; (\d+) (\d+) /.exec(line) ?? [];
    if (catalog === undefined || NEVER.test(line)) return false;
    // The rows of a table go by its OID alone.
    if (without.includes(`${catalog === "0" ? PG_CLASS : catalog} ${oid}`)) return false;
    if (purpose === "read") return !NOT_TO_READ.test(line);
    return catalog !== PG_PUBLICATION || !publications.some((name) => line.includes(` PUBLICATION - ${name} `));
  };
  return list.split("\n").filter(chosen).join("\n");
}
