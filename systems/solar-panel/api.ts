/** The line's API as a client sees it: for checks, drills and the read probe. Shares no code with the program behind it. */
import { logIn, readJson, send, type Access } from "../kit/client.ts";

export const DATABASE = "solar";
export const PANELS = "/api/panels?limit=20";
export const OPERATOR = "line-operator";
export const OPERATOR_SECRET = "operator-password";

/** Any string counts as a token. @throws AnswerError */
export const login = (access: Access): Promise<string> =>
  logIn(access, { service: "line", username: OPERATOR, secret: OPERATOR_SECRET, isToken: () => true });

export const request = (access: Access, token: string, method: string, path: string, body?: unknown): Promise<Response> =>
  send(access, "line", token, path, { method, body });

/** What every panel that is begun from outside has. */
export const PANEL = { panelType: "144", line: "LINE_2" };
/** A panel as the line begins one. */
export const newPanel = (serialNumber: string, notes: string) => ({ ...PANEL, serialNumber, notes });

/** @throws AnswerError; SyntaxError for an answer that is not JSON */
export const readPanels = (access: Access, token: string): Promise<unknown> => readJson(access, "line", token, PANELS);
