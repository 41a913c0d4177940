/** `npm run fuzz`: damaged stack files, names and definitions; see drill/fuzz/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { anySeed } from "../drill/dice.ts";
import { fuzz, type Finding, type FuzzResult } from "../drill/fuzz/fuzz.ts";
import { writeFuzzed } from "../drill/reliability.ts";
import { ensureEngine } from "./pulumi/engine.ts";
import { findProject } from "./pulumi/project.ts";
import { endLongRun, runLong, type LongRunOptions } from "./long-run.ts";
import { positive } from "./positive.ts";
import { stacksOf } from "./verbs/drill-list.ts";
import { say } from "./pulumi/outcome.ts";

interface Options extends LongRunOptions {
  mutations: number;
  seed?: string;
}

/** How many of a hundred mutations are also given to the verbs. */
const VERBS_PER_CENT = 2;
const MOST_VERBS = 40;
const UPDATES = 4;

async function main({ mutations, seed = anySeed(), ...options }: Options): Promise<void> {
  const project = findProject();
  const sources = await stacksOf(project, undefined);
  const engine = await ensureEngine({ log: say });
  const verbs = Math.min(MOST_VERBS, Math.ceil((mutations * VERBS_PER_CENT) / 100));
  const wish = { project, sources, mutations, seed, verbs, updates: Math.min(UPDATES, verbs), deployed: true };
  const { findings, ...result } = await fuzz(wish, engine, say);
  if (findings.length > 0) say(`seed ${seed}: the inputs are in ${keep(project, seed, findings)}`);
  const well = isWell(result);
  if (!well) say(`to repeat: npm run fuzz -- --mutations ${mutations} --seed ${seed}`);
  const write = (ran: { date: string; commit: string }): void => writeFuzzed(project, { ...ran, seed, ...result });
  endLongRun({ project, result, well, summary: summaryOf(result), write }, options);
}

function isWell({ rawErrors, touched }: FuzzResult): boolean {
  return rawErrors === 0 && touched === 0;
}

function summaryOf({ mutations, rawErrors, touched }: FuzzResult): string {
  return `${mutations} mutations, ${rawErrors} answers not clear, ${touched} changed something`;
}

/** Writes the inputs to files, for debugging. */
function keep(project: string, seed: string, findings: readonly Finding[]): string {
  const folder = join(project, "reports", "fuzz", seed.replaceAll(/[^\w.-]/g, "-"));
  mkdirSync(folder, { recursive: true });
  for (const { number, what, input, problem } of findings)
    writeFileSync(join(folder, `${number}.txt`), `${what.slice(0, 500)}\n${problem}\n\n${input}\n`);
  return folder;
}

await runLong(
  new Command("fuzz")
    .description(
      "give damaged stack files, names and definitions to the program and the verbs, and expect one clear answer each and no change",
    )
    .option("--mutations <number>", "how many", positive, 2000)
    .option("--seed <text>", "repeat the mutations of the run with this seed")
    .action(main),
);
