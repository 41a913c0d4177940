/** Hashes that only show whether a value has changed: salted per stack, so a short secret cannot be guessed. */
import { createHmac, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Site } from "./site.ts";

const unkept = new Map<string, string>();

/** 16 hexadecimal digits. Before the stack's first update nothing is recorded, so any salt works. */
export function seal(site: Pick<Site, "home">, value: string): string {
  return createHmac("sha256", saltOf(site)).update(value).digest("hex").slice(0, 16);
}

/** Keeps the salt from now on. */
export function keepSalt(site: Pick<Site, "home">): void {
  if (existsSync(saltFile(site))) return;
  mkdirSync(site.home, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(saltFile(site), saltOf(site), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function saltOf(site: Pick<Site, "home">): string {
  const kept = keptSalt(site);
  if (kept !== null) return kept;
  const salt = unkept.get(site.home) ?? randomBytes(32).toString("base64url");
  unkept.set(site.home, salt);
  return salt;
}

/** Null: there is none yet. */
export function keptSalt(site: Pick<Site, "home">): string | null {
  return existsSync(saltFile(site)) ? readFileSync(saltFile(site), "utf8") : null;
}

export function saltFile(site: Pick<Site, "home">): string {
  return join(site.home, "salt");
}
