/**
 * Values of sequences as a dump holds them. They belong to no transaction: while others write, every look finds them further on, so that what a
 * restore is to be compared with is read from the dump itself.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { canonicalTable, TableNameError } from "../../shared/identifiers.ts";
import { findClientTools } from "./client-tools.ts";

/** By name; null: never used. @param admin a session on the server that was dumped */
export async function dumpedSequences(admin: Client, folder: string): Promise<Record<string, string | null>> {
  const { rows } = await admin.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major");
  const { pgRestore } = await findClientTools(rows[0]?.major ?? 0);
  const entries = (await output(pgRestore, ["--list", folder])).split("\n").filter((line) => line.includes(" SEQUENCE SET "));
  if (entries.length === 0) return {};
  const scratch = await mkdtemp(join(tmpdir(), "backout-sequences-"));
  try {
    await writeFile(join(scratch, "list"), entries.join("\n"));
    return sequenceValues(await output(pgRestore, [`--use-list=${join(scratch, "list")}`, "--file=-", folder]));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const SETVAL = /^SELECT pg_catalog\.setval\('((?:[^']|'')+)', (-?\d+), (true|false)\);$/gm;

/** What a dump's statements set sequences to. Pure. */
export function sequenceValues(script: string): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  for (const [, name, value, used] of script.matchAll(SETVAL))
    values[nameOf(name!.replaceAll("''", "'"))] = used === "true" ? value! : null;
  return values;
}

function nameOf(written: string): string {
  try {
    return canonicalTable(written);
  } catch (error) {
    if (error instanceof TableNameError) return written;
    throw error;
  }
}

function output(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" }, stdio: ["ignore", "pipe", "pipe"] });
    const said = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(said.out) : reject(new Error(`${program} failed (${code}): ${said.err.trim()}`))));
  });
}
