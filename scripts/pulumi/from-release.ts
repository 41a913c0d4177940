import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Log, withProgress } from "./progress.ts";
import { CommandFailedError, run } from "./run.ts";
import { ENGINE_VERSION } from "./version.ts";

const CONNECT_LIMIT_SECONDS = 20;
const DOWNLOAD_LIMIT_MS = 15 * 60_000;

/**
 * Installs the official release into `root` (programs in `bin`).
 * In a process of its own, because Pulumi's installer cannot be given a limit and leaves children behind when it is given up.
 */
export async function engineFromRelease(root: string, log: Log): Promise<void> {
  const scratch = join(root, "download");
  await mkdir(scratch, { recursive: true });
  await writeFile(join(scratch, ".curlrc"), await curlSettings());
  const installer = fileURLToPath(
    new URL(import.meta.url.endsWith(".ts") ? "./install-release.ts" : "./install-release.js", import.meta.url),
  );
  // The installer is fetched by Node, which heeds HTTPS_PROXY only when it is configured to; the installer downloads with curl, which always does.
  const env = { NODE_USE_ENV_PROXY: "1", ...process.env, TMPDIR: scratch, CURL_HOME: scratch };
  try {
    await withProgress(log, `Installing the official release of Pulumi ${ENGINE_VERSION}`, () =>
      run(process.execPath, [installer, root], { env, limitMs: DOWNLOAD_LIMIT_MS }),
    );
  } catch (error) {
    if (error instanceof CommandFailedError) throw new Error(error.lastLines() || error.message, { cause: error });
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The user's own settings (a proxy, say) with limits added: where downloads are dropped silently, curl would wait for minutes. */
async function curlSettings(): Promise<string> {
  const own = await readFile(join(process.env["CURL_HOME"] ?? homedir(), ".curlrc"), "utf8").catch(() => "");
  return `${own}\nconnect-timeout = ${CONNECT_LIMIT_SECONDS}\nspeed-limit = 1000\nspeed-time = 60\n`;
}
