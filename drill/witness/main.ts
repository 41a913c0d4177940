/**
 * The witness: `node drill/witness/main.ts <config.json>`. A user of its own who writes all the time, remembers every acknowledged write with
 * its content, and stops on SIGTERM or SIGINT with a summary. An existing journal is continued.
 *
 * Exit status: 0 stopped when told to, 1 failed, 2 wrong configuration.
 */
import { WitnessConfigError } from "./config.ts";
import { witness } from "./witness.ts";

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
const file = process.argv[2];
try {
  if (file === undefined) throw new WitnessConfigError("(none)", "name it: node drill/witness/main.ts <config.json>");
  await witness(file, stop.signal);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof WitnessConfigError ? 2 : 1;
}
