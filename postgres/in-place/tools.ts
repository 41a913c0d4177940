/** The client tools at work on a database in place: dumping its own part of it, and turning a dump into one script. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import type { Client } from "pg";
import { APPLICATION_NAME, passwordOf, type Endpoint } from "../connection.ts";
import { toolOptions } from "../session-settings.ts";
import { ClientToolsMissingError, findClientTools, type ClientTools } from "../drivers/client-tools.ts";
import { DumpToolError } from "../drivers/dump.ts";

/** @throws ClientToolsMissingError */
export async function toolsOf(client: Client, folders?: readonly string[]): Promise<ClientTools> {
  const { rows } = await client.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major");
  const major = rows[0]?.major ?? 0;
  const tools = await findClientTools(major, folders);
  if (!existsSync(tools.psql)) throw new ClientToolsMissingError("psql", major, [tools.pgDump]);
  return tools;
}

export function startTool(program: string, args: readonly string[], endpoint: Endpoint, stdio: ("ignore" | "pipe")[]): ChildProcess {
  const password = passwordOf(endpoint);
  return spawn(program, args, {
    // The password goes through the environment, which only the same user can read.
    env: {
      PATH: process.env["PATH"] ?? "",
      LC_ALL: "C",
      PGAPPNAME: APPLICATION_NAME,
      PGCLIENTENCODING: "UTF8",
      PGOPTIONS: toolOptions(),
      ...(password === undefined ? {} : { PGPASSWORD: password }),
    },
    stdio,
  });
}

/** Resolves with what the tool wrote to standard output. @throws DumpToolError */
export async function runTool(program: string, args: readonly string[], endpoint: Endpoint): Promise<string> {
  const child = startTool(program, args, endpoint, ["ignore", "pipe", "pipe"]);
  let [out, err] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (err = (err + text).slice(-8_000)));
  const code = await ended(child);
  if (code !== 0) throw new DumpToolError(program, code, err.trim());
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

/** Entries of a dump that are left out: they belong to the server or its provider, or are done otherwise (views are filled at the end). */
const NEVER =
  /^\d+; \d+ \d+ (EXTENSION|COMMENT - EXTENSION|SCHEMA - public|ACL - SCHEMA public|COMMENT - SCHEMA public|PUBLICATION|SUBSCRIPTION|EVENT TRIGGER|MATERIALIZED VIEW DATA) /;
/** What a comparison does not need and another server may not have the roles for. */
const NOT_TO_COMPARE = /^\d+; \d+ \d+ (POLICY|ROW SECURITY|TRIGGER|ACL|DEFAULT ACL|RULE) /;

/** The table of contents a script is made from. */
export function chosenEntries(list: string, purpose: "restore" | "compare"): string {
  return list
    .split("\n")
    .filter((line) => !line.startsWith(";") && !NEVER.test(line) && !(purpose === "compare" && NOT_TO_COMPARE.test(line)))
    .join("\n");
}
