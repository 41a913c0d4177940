/** The system as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { WebSocket } from "ws";
import { bodyOf, burstOf, logIn, send, type Access, type Burst } from "../kit/client.ts";

export type { Access };

export const API = "radiation-monitoring";
export const FEED = "websocket-service";
export const SOCKET_PATH = "/ws";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";
export const PERSONNEL_PATH = "/api/radiation/personnel";
export const DEVICES_PATH = "/api/radiation/devices";
const IMPORTS_PATH = "/api/radiation/csv-imports";

/** @throws AnswerError */
export async function getJson<T>(access: Pick<Access, "url" | "fetch">, path: string, service = API): Promise<T> {
  return JSON.parse(await bodyOf(`GET ${path}`, await access.fetch(`${access.url(service)}${path}`))) as T;
}

/** Any string counts as a token. @throws AnswerError */
export function login(access: Access): Promise<string> {
  return logIn(access, { service: API, username: TEST_USER, secret: TEST_USER_SECRET, isToken: () => true });
}

/** Uploads a dosimeter file as a logged-in user. @throws AnswerError */
export async function handIn(access: Access, fileName: string, content: string): Promise<void> {
  const response = await send(access, API, await login(access), IMPORTS_PATH, { method: "POST", body: { fileName, content } });
  await bodyOf(`POST ${IMPORTS_PATH}`, response);
}

export interface Alert {
  type: "alert";
  employeeNumber: string;
  deviceSerial: string;
  doseMsv: number;
  limitMsv: number;
}

/** A client that listens to alerts over a real WebSocket. */
export interface Listener {
  /** First message of the service. */
  greeting: { type: string; version: string };
  /** Resolves with the first matching alert; null: none in time. Earlier alerts count. */
  alert(fits: (alert: Alert) => boolean, limitMs: number): Promise<Alert | null>;
  close(): void;
}

const CONNECT_LIMIT_MS = 5_000;

/** @throws Error with the reason if the connection failed. */
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

/** Reads personnel `count` times, `width` at a time, or as often as fits into five seconds. */
export function burst(access: Pick<Access, "url" | "passHeaders">, count: number, width: number): Promise<Burst> {
  return burstOf(access, { service: API, path: `${PERSONNEL_PATH}?limit=20`, token: null }, { count, width });
}

/** Each service's own status. */
export interface Vitals {
  rssBytes: number;
  memoryLimitBytes: number;
  sessions: { max: number; total: number; idle: number; waiting: number };
}

/** @throws AnswerError */
export function vitals(access: Pick<Access, "url" | "fetch">, service: string): Promise<Vitals> {
  return getJson<Vitals>(access, "/health/vitals", service);
}
