/** Durations in words. */

export function inSeconds(value: number): string {
  if (value >= 59.95) {
    const whole = Math.round(value);
    return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  }
  return `${value < 10 ? value.toFixed(2) : value.toFixed(1)} s`;
}

export function inMilliseconds(value: number | null): string {
  if (value === null) return "unknown";
  return value < 10_000 ? `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms` : inSeconds(value / 1000);
}
