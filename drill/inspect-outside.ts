/** A rolled-back system seen from outside: which release answers, what the exports hold. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { ExportFacts, SeenRelease } from "./checks.ts";
import { pinsNow, urlOf, type Stage } from "./stage.ts";

/** Services by the version of their health endpoint, static sites by the metadata of their page. */
export async function releasesOutside(stage: Stage): Promise<SeenRelease[]> {
  const { pins } = await pinsNow(stage);
  const { definition, site } = stage;
  const seen: SeenRelease[] = [];
  for (const [service, pin] of Object.entries(pins.services)) {
    const described = definition.services[service];
    const behindGate = Object.hasOwn(definition.listeners, service);
    if (described === undefined || (described.health?.path === undefined && described.kind !== "static")) continue;
    if (!behindGate && site.ports[service] === undefined) continue;
    const path = described.kind === "static" ? "/" : (described.health?.path ?? "/");
    const release = versionIn(await textAt(`${urlOf(stage, service)}${path}`), described.kind === "static");
    seen.push({ service, pinned: pin.run || described.kind === "static" ? pin.release : null, seen: release });
  }
  return seen;
}

async function textAt(url: string): Promise<string | null> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  } catch {
    return null;
  }
}

export function versionIn(text: string | null, page: boolean): string | null {
  if (text === null) return null;
  if (page) return /<meta\s+name="version"\s+content="([^"]*)"/.exec(text)?.[1] ?? "a page without version";
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === "string" ? version : "something without version";
  } catch {
    return "something without version";
  }
}

/** Each recorded file, read again. */
export async function exportsOutside(
  files: readonly { path: string; sha256: string; rows: number }[],
  runId: string,
): Promise<ExportFacts[]> {
  return Promise.all(
    files.map(async ({ path, sha256, rows }) => {
      const kind = path.endsWith(".csv") ? ("csv" as const) : ("jsonl" as const);
      const stem = basename(path).replace(/\.(jsonl|csv)$/, "");
      // A rollback that another run finished has its files from the run that started it.
      const begun = [runId, basename(dirname(dirname(path)))].find((id) => stem.startsWith(`${id}.`));
      const table = begun === undefined ? null : decodeURIComponent(stem.slice(begun.length + 1));
      return { path, table, kind, recorded: { sha256, rows }, found: await contentsOf(path, kind).catch(() => null) };
    }),
  );
}

async function contentsOf(path: string, kind: "jsonl" | "csv"): Promise<ExportFacts["found"]> {
  const bytes = await readFile(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const text = bytes.toString("utf8");
  // A line break inside quotes ends no record; quotes inside quotes come in pairs.
  if (kind === "csv") return { sha256, rows: (text.replaceAll(/"[^"]*"/g, "").match(/\n/g)?.length ?? 0) - 1, operations: null };
  const operations = { inserted: 0, updated: 0, deleted: 0 };
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const { op } = JSON.parse(line) as { op: "insert" | "update" | "delete" };
    operations[({ insert: "inserted", update: "updated", delete: "deleted" } as const)[op]] += 1;
  }
  return { sha256, rows: lines.length, operations };
}
