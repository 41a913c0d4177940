/** The system as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { WebSocket } from "ws";

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export const API = "radiation-monitoring";
export const FEED = "websocket-service";
export const SOCKET_PATH = "/ws";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";
export const PERSONNEL_PATH = "/api/radiation/personnel";
export const DEVICES_PATH = "/api/radiation/devices";
export const IMPORTS_PATH = "/api/radiation/csv-imports";

/** How to reach it. */
export interface Access {
  url(component: string): string;
  fetch: Fetch;
  secret(name: string): string;
  /** Needed by a WebSocket while the gate is closed. */
  passHeaders?: Record<string, string>;
}

/** An answer other than expected. */
export class AnswerError extends Error {
  readonly status: number;
  constructor(request: string, status: number, body: string) {
    super(`${request} answered ${status}: ${body.slice(0, 160).trim()}`);
    this.name = "AnswerError";
    this.status = status;
  }
}

/** @throws AnswerError */
export async function getJson<T>(access: Pick<Access, "url" | "fetch">, path: string, component = API): Promise<T> {
  const response = await access.fetch(`${access.url(component)}${path}`);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`GET ${path}`, response.status, text);
  return JSON.parse(text) as T;
}

/** @throws AnswerError */
export async function login(access: Access): Promise<string> {
  const body = JSON.stringify({ username: TEST_USER, password: access.secret(TEST_USER_SECRET) });
  const headers = { "content-type": "application/json" };
  const response = await access.fetch(`${access.url(API)}/api/auth/login`, { method: "POST", headers, body });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string") throw new AnswerError("POST /api/auth/login", response.status, text);
  return token;
}

/** Hands a file of a dosimeter in, as a logged-in user. @throws AnswerError */
export async function handIn(access: Access, fileName: string, content: string): Promise<void> {
  const response = await access.fetch(`${access.url(API)}${IMPORTS_PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await login(access)}` },
    body: JSON.stringify({ fileName, content }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`POST ${IMPORTS_PATH}`, response.status, text);
}

export interface Alert {
  type: "alert";
  employeeNumber: string;
  deviceSerial: string;
  doseMsv: number;
  limitMsv: number;
}

/** Somebody who listens to alerts over a real WebSocket. */
export interface Listener {
  /** First message of the service. */
  greeting: { type: string; version: string };
  /** Resolves with the first alert that fits; null where none came in time. Alerts heard before count. */
  alert(fits: (alert: Alert) => boolean, limitMs: number): Promise<Alert | null>;
  close(): void;
}

const CONNECT_LIMIT_MS = 5_000;

/** @throws Error saying why nobody could connect. */
export async function listen(access: Pick<Access, "url" | "passHeaders">): Promise<Listener> {
  const url = `${access.url(FEED).replace(/^http/, "ws")}${SOCKET_PATH}`;
  const socket = new WebSocket(url, { headers: access.passHeaders ?? {}, handshakeTimeout: CONNECT_LIMIT_MS });
  const heard: Alert[] = [];
  const waiting = new Set<() => void>();
  const greeting = await new Promise<Listener["greeting"]>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${url} did not greet within ${CONNECT_LIMIT_MS / 1000} s`)), CONNECT_LIMIT_MS);
    socket.on("error", (error) => reject(new Error(`no WebSocket at ${url}: ${error.message}`)));
    socket.on("close", (code) => reject(new Error(`the WebSocket at ${url} was closed (${code}) before it greeted`)));
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string };
      if (message.type !== "alert") return void (clearTimeout(late), resolve(message as Listener["greeting"]));
      heard.push(message as Alert);
      for (const look of waiting) look();
    });
  }).catch((error: unknown) => {
    socket.terminate();
    throw error;
  });
  return {
    greeting,
    alert: (fits, limitMs) =>
      new Promise((resolve) => {
        const end = (found: Alert | null): void => {
          clearTimeout(late);
          waiting.delete(look);
          resolve(found);
        };
        const look = (): void => {
          const found = heard.find(fits);
          if (found !== undefined) end(found);
        };
        const late = setTimeout(() => end(null), limitMs);
        waiting.add(look);
        look();
      }),
    close: () => socket.terminate(),
  };
}

export interface Burst {
  requests: number;
  /** Answers of 500 and more, and none at all. */
  errors: number;
  medianMs: number;
}

/** Enough to know a slow system by. */
const BURST_LIMIT_MS = 5_000;

/** Reads personnel `count` times, `width` at a time, or as often as fits into five seconds. */
export async function burst(access: Pick<Access, "url" | "fetch">, count: number, width: number): Promise<Burst> {
  const until = performance.now() + BURST_LIMIT_MS;
  const durations: number[] = [];
  let errors = 0;
  let left = count;
  const one = async (): Promise<void> => {
    const startedAt = performance.now();
    const ok = await access
      .fetch(`${access.url(API)}${PERSONNEL_PATH}?limit=20`)
      .then(async (response) => (await response.text(), response.status < 500))
      .catch(() => false);
    durations.push(performance.now() - startedAt);
    if (!ok) errors += 1;
  };
  const reader = async (): Promise<void> => {
    while (left > 0 && performance.now() < until) {
      left -= 1;
      await one();
    }
  };
  await Promise.all(Array.from({ length: width }, reader));
  const sorted = durations.sort((a, b) => a - b);
  return { requests: sorted.length, errors, medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}

/** What each component says of itself. */
export interface Vitals {
  rssBytes: number;
  memoryLimitBytes: number;
  sessions: { max: number; total: number; idle: number; waiting: number };
}

/** @throws AnswerError */
export function vitals(access: Pick<Access, "url" | "fetch">, component: string): Promise<Vitals> {
  return getJson<Vitals>(access, "/health/vitals", component);
}
