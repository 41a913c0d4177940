/** Name of the control database beside a live one. */
export function controlDatabaseName(live: string): string {
  return `${live.slice(0, 55)}_backout`;
}
