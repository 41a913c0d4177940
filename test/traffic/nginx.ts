/** A real nginx in front of a service, in a folder and on a port of its own; a script beside it keeps users out and lets them in. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { userInfo } from "node:os";

export const NO_NGINX = "no nginx on this machine";

export interface Nginx {
  url: string;
  /** The script: `[…, "open"]` or `[…, "close"]`. */
  site: string[];
  end(): Promise<void>;
}

const PROGRAM = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "nginx"].find((program) => spawnSync(program, ["-v"]).error === undefined);

/** Null: there is none on this machine. */
export async function startNginx(folder: string, { port, upstreamPort }: { port: number; upstreamPort: number }): Promise<Nginx | null> {
  if (PROGRAM === undefined) return null;
  mkdirSync(join(folder, "temp"), { recursive: true });
  const configuration = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path temp/${name};`).join(" ");
  writeFileSync(join(folder, "users.conf"), "");
  writeFileSync(
    configuration,
    `${userInfo().uid === 0 ? "user root;" : ""} daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events {}
http {
  access_log off; ${temporary}
  server {
    listen 127.0.0.1:${port};
    # Written by the script: empty, or what everybody gets.
    include users.conf;
    location / { proxy_pass http://127.0.0.1:${upstreamPort}; }
  }
}
`,
  );
  const script = join(folder, "nginx-site");
  writeFileSync(
    script,
    `#!/bin/sh
set -eu
cd "$(dirname "$0")"
if [ "$1" = close ]; then
  echo 'add_header Retry-After 30 always; if ($uri ~ .) { return 503 "Back soon"; }' > users.conf.new
else
  : > users.conf.new
fi
mv users.conf.new users.conf
before=$(cat "/proc/$(cat nginx.pid)/task/$(cat nginx.pid)/children")
${PROGRAM} -p . -c nginx.conf -e error.log -s reload
# The workers of before go on answering until they have ended.
for worker in $before; do while kill -0 "$worker" 2>/dev/null; do sleep 0.05; done; done
`,
  );
  chmodSync(script, 0o755);
  const server = spawn(PROGRAM, ["-p", folder, "-c", configuration, "-e", join(folder, "error.log")], { stdio: "ignore" });
  const ended = once(server, "exit");
  const url = `http://127.0.0.1:${port}`;
  await answers(url, () => server.exitCode !== null);
  return {
    url,
    site: [script],
    end: async () => {
      server.kill("SIGTERM");
      await ended;
    },
  };
}

/** Any answer: its upstream may not run yet. */
async function answers(url: string, ended: () => boolean): Promise<void> {
  for (;;) {
    if (ended()) throw new Error("nginx ended: see its error.log");
    const reached = await fetch(url).then(
      () => true,
      () => false,
    );
    if (reached) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Asks again and again, each time on a new connection (a kept one may end just then), until it is ended; resolves with every answer in its order, equal neighbours once. */
export function watchAnswers(url: string): () => Promise<string[]> {
  const seen: string[] = [];
  let ended = false;
  const ask = async (): Promise<void> => {
    const answer = await fetch(url, { headers: { connection: "close" } }).then(
      async (response) => `${response.status} ${response.ok ? await response.text() : ""}`.trim(),
      (error: Error) => `no answer: ${error.message}`,
    );
    if (seen.at(-1) !== answer) seen.push(answer);
  };
  const watching = (async () => {
    while (!ended) {
      await ask();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    ended = true;
    await watching;
    // The last answer is to a request of after the end: one that was under way says what was before it.
    await ask();
    return seen;
  };
}
