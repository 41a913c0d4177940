/** The real secrets of a stack, and where they are to be found. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endpointOf, type Site } from "../../config/site.ts";
import { passwordOf } from "../../databases/postgres/connection.ts";
import { pause } from "./stand.ts";

/** By name; each as it is, as part of a connection string, and as JSON and base64 would show it. */
export type Secrets = Map<string, string[]>;

export function secretsOf(site: Site): Secrets {
  const folder = join(site.home, "secrets");
  const values = readdirSync(folder).map((name): [string, string] => [name, readFileSync(join(folder, name), "utf8").trim()]);
  values.push(["server password", passwordOf(endpointOf(site))!]);
  return new Map(
    values.map(([name, value]) => [
      name,
      [...new Set([value, encodeURIComponent(value), Buffer.from(value).toString("base64").replace(/=+$/, "")])],
    ]),
  );
}

export function leaksIn(where: string, text: string, known: Secrets): string[] {
  return [...known].flatMap(([name, forms]) => (forms.some((form) => text.includes(form)) ? [`${name} in ${where}`] : []));
}

export function leaksInFiles(files: string[], known: Secrets): string[] {
  return files.flatMap((file) => leaksIn(file, readFileSync(file, "latin1"), known));
}

/** Every argument list that is seen on this machine while `work` is done. */
export async function argumentListsDuring(work: () => Promise<void>): Promise<string[]> {
  const seen = new Set<string>();
  let going = true;
  const watch = (async () => {
    while (going) {
      for (const line of argumentLists()) seen.add(line);
      await pause(10);
    }
  })();
  try {
    await work();
  } finally {
    going = false;
    await watch;
  }
  return [...seen];
}

function argumentLists(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8")];
      } catch {
        return [];
      }
    });
}
