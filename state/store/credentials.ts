/** The access key of an S3 store: the stack's own, else the environment's, else that of a profile, as AWS's own tools find them. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { StoreKey } from "../../config/store.ts";

/** Null: none is set. An empty variable counts as missing. */
export function credentials(own: StoreKey | undefined, environment: NodeJS.ProcessEnv = process.env): StoreKey | null {
  return own ?? given(environment) ?? ofProfile(environment);
}

function given({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: token }: NodeJS.ProcessEnv): StoreKey | null {
  return id && key ? { accessKeyId: id, secretAccessKey: key, ...(token ? { sessionToken: token } : {}) } : null;
}

/** Keys that are written in the file; roles and single sign-on need AWS's own tools: `aws configure export-credentials`. */
function ofProfile(environment: NodeJS.ProcessEnv): StoreKey | null {
  const file = environment["AWS_SHARED_CREDENTIALS_FILE"] || join(environment["HOME"] || homedir(), ".aws", "credentials");
  if (!existsSync(file)) return null;
  const wanted = environment["AWS_PROFILE"] || "default";
  const values: Record<string, string> = {};
  let section = "";
  for (const line of readFileSync(file, "utf8").split(/\r?\n/)) {
    section = /^\s*\[\s*(.+?)\s*\]/.exec(line)?.[1] ?? section;
    const [, key, value] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (section === wanted && key !== undefined && value !== undefined) values[key] = value;
  }
  return given({
    AWS_ACCESS_KEY_ID: values["aws_access_key_id"],
    AWS_SECRET_ACCESS_KEY: values["aws_secret_access_key"],
    AWS_SESSION_TOKEN: values["aws_session_token"],
  });
}
