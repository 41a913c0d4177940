/** The own value of a map under a user-given name: `constructor` is absent unless somebody set it. */
export function own<T>(map: Record<string, T> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}
