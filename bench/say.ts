/** Progress for a person; standard output stays free for the results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
