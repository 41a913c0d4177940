/** Durations as Go writes them: `1m30s`, `500ms`. */
const UNITS = { h: 3_600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 } as const;

export const DURATION = /^(0|(\d+(\.\d+)?(h|ms|m|s|us|ns))+)$/;

/** Nanoseconds. */
export function nanoseconds(duration: string): number {
  return [...duration.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS],
    0,
  );
}

/** As Docker's clients show them: the largest unit first, from the first that is not 0 to the seconds. */
export function durationOf(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < UNITS.s) return nanoseconds < UNITS.ms ? `${nanoseconds / UNITS.us}us` : `${nanoseconds / UNITS.ms}ms`;
  const hours = Math.floor(nanoseconds / UNITS.h);
  const minutes = Math.floor((nanoseconds % UNITS.h) / UNITS.m);
  const seconds = (nanoseconds % UNITS.m) / UNITS.s;
  return `${hours > 0 ? `${hours}h` : ""}${hours + minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
