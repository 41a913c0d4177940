/** Orders of migrations. Pure. */

/** By the numbers in the names and by code point where these are equal: `2_a` before `10_b`. */
export function byNumber(one: string, other: string): number {
  const numbers = (text: string): bigint[] => (/^\d+(?:[._]\d+)*/.exec(text)?.[0] ?? "").split(/[._]/).map((part) => BigInt(part || "0"));
  const [left, right] = [numbers(one), numbers(other)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [a, b] = [left[index] ?? 0n, right[index] ?? 0n];
    if (a !== b) return a < b ? -1 : 1;
  }
  return one < other ? -1 : one > other ? 1 : 0;
}

export interface Dependent {
  name: string;
  after: readonly string[];
}

/** Each after those it builds on, and otherwise in the order given. @throws where they build on each other in a circle */
export function dependenciesFirst<T extends Dependent>(migrations: readonly T[]): T[] {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  const ordered = new Set<T>();
  const visit = (migration: T, path: readonly string[]): void => {
    if (ordered.has(migration)) return;
    if (path.includes(migration.name)) throw new Error(`migrations build on each other: ${[...path, migration.name].join(" → ")}`);
    for (const name of migration.after) {
      const before = byName.get(name);
      if (before !== undefined) visit(before, [...path, migration.name]);
    }
    ordered.add(migration);
  };
  for (const migration of migrations) visit(migration, []);
  return [...ordered];
}
