/**
 * What the witness writes, as data. The witness is a judge, so it shares no code with the toolkit it judges: this type is its own and only
 * happens to have the shape of `WitnessScript` in the system definitions (a test holds the two together).
 */
export interface Script {
  service: string;
  login: { method: string; path: string; body: Record<string, string>; tokenField: string };
  insert: { method: string; path: string; body: Record<string, string> };
  update: { method: string; path: string; body: Record<string, string> };
  delete: { method: string; path: string };
  /** Table, key column and value column in which an acknowledged write must be found. */
  table: string;
  key: string;
  value: string;
}

export type Operation = "insert" | "update" | "delete";

export type Placeholders = { id?: string; value?: string; token?: string };

/** `{{id}}`, `{{value}}` and `{{token}}` filled in; anything else is left as it stands. */
export function fill(template: string, values: Placeholders): string {
  return template.replace(/\{\{(id|value|token)\}\}/g, (whole, name: keyof Placeholders) => values[name] ?? whole);
}

/** As `fill`, for a path: what is filled in is percent-encoded. */
export function fillPath(template: string, values: Placeholders): string {
  const encoded = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, encodeURIComponent(value)]));
  return fill(template, encoded);
}

export function fillBody(body: Record<string, string>, values: Placeholders): Record<string, string> {
  return Object.fromEntries(Object.entries(body).map(([name, template]) => [name, fill(template, values)]));
}
