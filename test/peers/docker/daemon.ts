/** The daemon of DOCKER_HOST, by its HTTP interface. */
import { request, type RequestOptions } from "node:http";

/** What Docker refused, in its words. */
export class DockerError extends Error {
  override readonly name = "DockerError";
  readonly status: number;

  constructor(status: number, said: string) {
    super(said);
    this.status = status;
  }
}

export class NoDaemonError extends Error {
  override readonly name = "NoDaemonError";

  constructor(host: string, cause: Error) {
    super(`cannot connect to the Docker daemon at ${host} (${cause.message || String(cause)}): is it running?`, { cause });
  }
}

const hostOf = (): string => process.env["DOCKER_HOST"] || "unix:///var/run/docker.sock";

function addressOf(host: string): RequestOptions {
  if (host.startsWith("unix://")) return { socketPath: host.slice("unix://".length) };
  const { protocol, hostname, port } = new URL(host);
  if (protocol !== "tcp:" && protocol !== "http:")
    throw new Error(`DOCKER_HOST ${JSON.stringify(host)} is not allowed: must begin with unix:// or tcp://`);
  return { host: hostname, port: port || "2375" };
}

export interface Asked {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
}

/**
 * One question to the daemon.
 * @returns what it answers: one document, its lines where it answers with several, or null.
 * @throws DockerError for an answer of 400 and more, NoDaemonError where nobody answers.
 */
export async function ask<T>(method: string, path: string, { query = {}, body }: Asked = {}): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  const host = hostOf();
  const text = body === undefined ? "" : JSON.stringify(body);
  const { status, answer } = await new Promise<{ status: number; answer: string }>((resolve, reject) => {
    const failed = (error: Error): void => reject(new NoDaemonError(host, error));
    const sent = request(
      {
        ...addressOf(host),
        method,
        path: search === "" ? path : `${path}?${search}`,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
      },
      (response) => {
        let read = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (read += chunk));
        response.on("error", failed);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, answer: read.trim() }));
      },
    );
    sent.on("error", failed);
    sent.end(text);
  });
  if (status >= 400) throw new DockerError(status, messageOf(answer));
  if (answer === "") return null as T;
  try {
    return JSON.parse(answer) as T;
  } catch {
    return answer.split("\n").map((line) => JSON.parse(line) as unknown) as T;
  }
}

function messageOf(answer: string): string {
  try {
    return (JSON.parse(answer) as { message?: string }).message ?? answer;
  } catch {
    return answer;
  }
}

/** What the daemon has at a path; null where there is no such thing. */
export async function find<T>(path: string): Promise<T | null> {
  return ask<T>("GET", path).catch((error: unknown) => {
    if (error instanceof DockerError && error.status === 404) return null;
    throw error;
  });
}

/** Does something to a thing that may be gone already. */
export async function unlessGone(work: Promise<unknown>, ...alsoFine: string[]): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof DockerError)) throw error;
    if (error.status !== 404 && !alsoFine.some((said) => error.message.toLowerCase().includes(said))) throw error;
  });
}

const RETRY_MS = 30_000;
const PAUSE_MS = 500;

/** Tries again, for half a minute as the real provider does, while Docker says that somebody still uses the thing. */
export async function whileInUse(said: string, work: () => Promise<void>): Promise<void> {
  const until = performance.now() + RETRY_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DockerError) || !error.message.toLowerCase().includes(said) || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
