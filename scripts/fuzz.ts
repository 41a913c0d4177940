/** `npm run fuzz`: damaged stack files, names and definitions; see drill/fuzz/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { anySeed } from "../drill/dice.ts";
import { fuzz, type Finding, type FuzzResult } from "../drill/fuzz/fuzz.ts";
import { ranNow, writeFuzzed } from "../drill/reliability.ts";
import { ensureEngine } from "./engine/engine.ts";
import { findProject } from "./engine/project.ts";
import { positive } from "./positive.ts";
import { stacksOf } from "./verbs/drill-list.ts";
import { EXIT, exitCodeOf, say } from "./verbs/outcome.ts";

interface Options {
  mutations: number;
  seed?: string;
  json?: boolean;
  write?: boolean;
}

/** How many of a hundred mutations are also asked of the verbs. */
const VERBS_PER_CENT = 2;
const MOST_VERBS = 40;
const UPDATES = 4;

async function main({ mutations, seed = anySeed(), json, write }: Options): Promise<void> {
  const project = findProject();
  const sources = await stacksOf(project, undefined);
  const engine = await ensureEngine({ log: say });
  const verbs = Math.min(MOST_VERBS, Math.ceil((mutations * VERBS_PER_CENT) / 100));
  const wish = { project, sources, mutations, seed, verbs, updates: Math.min(UPDATES, verbs), deployed: true };
  const { findings, ...result } = await fuzz(wish, engine, say);
  if (findings.length > 0) say(`seed ${seed}: what was asked lies in ${keep(project, seed, findings)}`);
  if (!isWell(result)) say(`again: npm run fuzz -- --mutations ${mutations} --seed ${seed}`);
  if (write === true) writeFuzzed(project, { ...ranNow(project), seed, ...result });
  process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : `${summary(result)}\n`);
  process.exitCode = isWell(result) ? EXIT.done : EXIT.failed;
}

function isWell({ rawErrors, touched }: FuzzResult): boolean {
  return rawErrors === 0 && touched === 0;
}

function summary({ mutations, rawErrors, touched }: FuzzResult): string {
  return `${mutations} mutations, ${rawErrors} answers that were no clean ones, ${touched} touched something`;
}

/** The inputs, for whoever looks into them. */
function keep(project: string, seed: string, findings: readonly Finding[]): string {
  const folder = join(project, "reports", "fuzz", seed.replaceAll(/[^\w.-]/g, "-"));
  mkdirSync(folder, { recursive: true });
  for (const { number, what, input, problem } of findings)
    writeFileSync(join(folder, `${number}.txt`), `${what.slice(0, 500)}\n${problem}\n\n${input}\n`);
  return folder;
}

const program = new Command("fuzz")
  .description("give damaged stack files, names and definitions to the program and the verbs: one clean answer each, nothing touched")
  .option("--mutations <number>", "how many", positive, 2000)
  .option("--seed <text>", "makes the same mutations as the run that had it")
  .option("--write", "write the figures into docs/reliability.md")
  .option("--json", "one JSON document on standard output, progress on standard error")
  .exitOverride()
  .action(main);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  else {
    say((error as Error).message);
    process.exitCode = exitCodeOf(error);
  }
}
