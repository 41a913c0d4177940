/** The system as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { burstOf, logIn, readJson, type Access, type Burst } from "../kit/client.ts";
import { listenTo, type Listener } from "../kit/socket-client.ts";

/** Its name on the server too. */
export const DATABASE = "radiation_health";
export const API = "radiation-monitoring";
export const FEED = "websocket-service";
export const SOCKET_PATH = "/ws";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";
export const PERSONNEL_PATH = "/api/radiation/personnel";
export const SERVICES = [API, "csv-polling-service", "data-retention-service", FEED, "anomaly-detection-service"];

/** @throws AnswerError */
export const getJson = <T>(access: Pick<Access, "url" | "fetch">, path: string, service = API): Promise<T> =>
  readJson(access, service, null, path);

/** Any string counts as a token. @throws AnswerError */
export const login = (access: Access): Promise<string> =>
  logIn(access, { service: API, username: TEST_USER, secret: TEST_USER_SECRET, isToken: () => true });

/** Uploads a dosimeter file as a logged-in user. @throws AnswerError */
export const handIn = async (access: Access, fileName: string, content: string): Promise<unknown> =>
  readJson(access, API, await login(access), "/api/radiation/csv-imports", { method: "POST", body: { fileName, content } });

export interface Alert {
  type: "alert";
  employeeNumber: string;
  deviceSerial: string;
  doseMsv: number;
  limitMsv: number;
}

/** A client that listens to alerts over a real WebSocket. @throws Error with the reason if the connection failed */
export const listen = (access: Pick<Access, "url" | "passHeaders">): Promise<Listener<{ type: string; version: string }, Alert>> =>
  listenTo(`${access.url(FEED).replace(/^http/, "ws")}${SOCKET_PATH}`, access.passHeaders ?? {}, "alert");

/** Reads personnel `count` times, `width` at a time, or as often as fits into five seconds. */
export const burst = (access: Pick<Access, "url" | "passHeaders">, count: number, width: number): Promise<Burst> =>
  burstOf(access, { service: API, path: `${PERSONNEL_PATH}?limit=20`, token: null }, { count, width });

/** Each service's own status. */
export interface Vitals {
  rssBytes: number;
  memoryLimitBytes: number;
  sessions: { max: number; total: number; idle: number; waiting: number };
}

/** @throws AnswerError */
export const vitals = (access: Pick<Access, "url" | "fetch">, service: string): Promise<Vitals> =>
  getJson<Vitals>(access, "/health/vitals", service);
