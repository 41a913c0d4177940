/** Finds pg_dump and pg_restore of the server's own major version: another one's archives may not load. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

export interface ClientTools {
  pgDump: string;
  pgRestore: string;
  /** Beside the two; code that needs it checks whether it exists. */
  psql: string;
  /** `15.20` */
  version: string;
}

/** No pg_dump or pg_restore of the server's major version. */
export class ClientToolsMissingError extends Error {
  readonly tool: string;
  readonly major: number;
  constructor(tool: string, major: number, seen: string[]) {
    const found = seen.length > 0 ? ` (found: ${seen.join(", ")})` : "";
    super(
      `${tool} of PostgreSQL ${major}, the server's version, was not found${found}. Install it: apt-get install postgresql-client-${major}, ` +
        `dnf install postgresql${major}, or brew install postgresql@${major}; or use the template driver, which needs no tool`,
    );
    this.name = "ClientToolsMissingError";
    this.tool = tool;
    this.major = major;
  }
}

/** Folders that may hold the tools of a major version, likeliest first. */
function toolFolders(major: number, path: string): string[] {
  return [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
    ...path.split(delimiter).filter((folder) => folder !== ""),
  ];
}

/** @param folders where to look; the usual places, the search path and what pg_config says, by default. @throws ClientToolsMissingError */
export async function findClientTools(major: number, folders?: readonly string[]): Promise<ClientTools> {
  const places = folders ?? [...toolFolders(major, process.env["PATH"] ?? ""), ...(await configuredFolder())];
  const seen: string[] = [];
  for (const folder of places) {
    const dump = await versionOf(join(folder, "pg_dump"));
    if (dump === null) continue;
    seen.push(`${join(folder, "pg_dump")} ${dump}`);
    if (majorOf(dump) !== major) continue;
    const restore = await versionOf(join(folder, "pg_restore"));
    if (restore === null || majorOf(restore) !== major) throw new ClientToolsMissingError("pg_restore", major, seen);
    return { pgDump: join(folder, "pg_dump"), pgRestore: join(folder, "pg_restore"), psql: join(folder, "psql"), version: dump };
  }
  throw new ClientToolsMissingError("pg_dump", major, seen);
}

async function configuredFolder(): Promise<string[]> {
  try {
    return [(await promisify(execFile)("pg_config", ["--bindir"])).stdout.trim()];
  } catch {
    return [];
  }
}

async function versionOf(program: string): Promise<string | null> {
  if (!existsSync(program)) return null;
  try {
    const { stdout } = await promisify(execFile)(program, ["--version"]);
    return /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
