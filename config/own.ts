/** What a map of names that people gave holds under a name: `constructor` is nowhere unless somebody wrote it. */
export function own<T>(map: Record<string, T> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}
