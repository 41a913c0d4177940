/** The line's API as a client sees it: for checks, drills and the read probe. Shares no code with the program behind it. */
import { AnswerError, logIn, send, type Access } from "../kit/client.ts";

export const OPERATOR = "line-operator";
export const OPERATOR_SECRET = "operator-password";

/** Any string counts as a token. @throws AnswerError */
export function login(access: Access): Promise<string> {
  return logIn(access, { service: "line", username: OPERATOR, secret: OPERATOR_SECRET, isToken: () => true });
}

export interface Answer {
  status: number;
  text: string;
}

export async function request(access: Access, token: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await send(access, "line", token, path, { method, body });
  return { status: response.status, text: await response.text() };
}

/** A panel as the line begins one. */
export function newPanel(serialNumber: string, notes: string) {
  return { serialNumber, panelType: "144", line: "LINE_2", notes };
}

/** @throws AnswerError */
export async function readPanels(access: Access, token: string): Promise<unknown[]> {
  const { status, text } = await request(access, token, "GET", "/api/panels?limit=20");
  if (status !== 200) throw new AnswerError("GET /api/panels", status, text);
  return (JSON.parse(text) as { panels: unknown[] }).panels;
}
