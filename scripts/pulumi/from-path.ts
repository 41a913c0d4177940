import { mkdir, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { delimiter, dirname, join, sep } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { findExecutables, isExecutable } from "./find-executable.ts";
import { CommandFailedError, run } from "./run.ts";
import { isSuitable, OLDEST_SUITABLE, parseVersion, showVersion } from "./version.ts";

const ANSWER_LIMIT_MS = 30_000;

export type FromPath = { pulumi: string; version: string } | { refused: string };

/** The first suitable `pulumi` of the PATH that has a Node language host; the engines of backout's own cache do not count. */
export async function engineFromPath(): Promise<FromPath> {
  const path = process.env["PATH"] ?? "";
  const candidates = await outsideCache(await findExecutables("pulumi", path));
  if (candidates.length === 0) return { refused: "there is no `pulumi` on the PATH." };
  const refused: string[] = [];
  for (const pulumi of candidates) {
    const verdict = await judge(pulumi, path);
    if ("version" in verdict) return { pulumi, version: verdict.version };
    refused.push(`${pulumi} ${verdict.refused}`);
  }
  return { refused: `${refused.join("; ")}.` };
}

async function judge(pulumi: string, path: string): Promise<{ version: string } | { refused: string }> {
  const answer = await versionOf(pulumi);
  if ("refused" in answer) return answer;
  const version = parseVersion(answer.text);
  if (!version) return { refused: `answers \`version\` with "${answer.text.slice(0, 60)}", which is no version` };
  if (!isSuitable(version))
    return { refused: `is ${showVersion(version)}; ${OLDEST_SUITABLE} or newer of the same major version is needed` };
  const beside = join(dirname(await realpath(pulumi)), "pulumi-language-nodejs");
  const host = (await isExecutable(beside))
    ? [beside]
    : await findExecutables("pulumi-language-nodejs", [dirname(pulumi), path].join(delimiter));
  if (host.length === 0) return { refused: "has no `pulumi-language-nodejs` beside it or on the PATH" };
  return { version: showVersion(version) };
}

/** Asking costs a quarter of a second, so the answer is remembered for as long as the file stays the same. */
async function versionOf(pulumi: string): Promise<{ text: string } | { refused: string }> {
  const memory = join(cacheFolder(), "path.json");
  const file = await realpath(pulumi);
  const { size, mtimeMs } = await stat(file);
  const key = `${file}:${size}:${mtimeMs}`;
  const known = await recall(memory);
  if (known?.key === key) return { text: known.text };
  try {
    const { stdout } = await run(pulumi, ["version"], {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
      limitMs: ANSWER_LIMIT_MS,
    });
    await mkdir(cacheFolder(), { recursive: true, mode: 0o700 });
    await writeFile(memory, JSON.stringify({ key, text: stdout.trim() }));
    return { text: stdout.trim() };
  } catch (error) {
    return { refused: error instanceof CommandFailedError ? `does not answer: ${error.message}` : String(error) };
  }
}

async function recall(memory: string): Promise<{ key: string; text: string } | undefined> {
  try {
    return JSON.parse(await readFile(memory, "utf8")) as { key: string; text: string };
  } catch {
    return undefined;
  }
}

async function outsideCache(candidates: readonly string[]): Promise<string[]> {
  const cache = await realpath(cacheFolder()).catch(() => cacheFolder());
  const places = await Promise.all(candidates.map((file) => realpath(file)));
  return candidates.filter((_, index) => !places[index]?.startsWith(cache + sep));
}
