/** Versions as tools take them from names. Pure. */

/** `0003_orders` → `3`, as tools that keep a number do. */
export function numberOf(name: string): string {
  return BigInt(/^\d+/.exec(name)?.[0] ?? "0").toString();
}

/** `0003_orders` → `0003`, as tools that keep a text do. */
export function digitsOf(name: string): string {
  return /^\d+/.exec(name)?.[0] ?? name;
}

/** `V1_2__orders` → `1.2`. Flyway takes `1`, `01` and `1.0` for the same version. */
export function flywayVersion(name: string): string {
  const parts = (/^V?(\d+(?:[._]\d+)*)/.exec(name)?.[1] ?? name).split(/[._]/).map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length > 1 && parts.at(-1) === "0") parts.pop();
  return parts.join(".");
}

/** A value of a column as text; empty for NULL. */
export function text(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? String(value) : "";
}

/** Truth as PostgreSQL (boolean), SQLite (0 or 1) and drivers return it. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 1 || value === 1n || value === "t" || value === "true";
}
