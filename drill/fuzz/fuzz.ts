/** Fuzz: damaged stack files, names and definitions. Each must get one clear answer, in bounded time, without any change. */
import { writeFileSync } from "node:fs";
import type { Engine } from "../../scripts/pulumi/environment.ts";
import type { OpenStack } from "../../scripts/pulumi/stack.ts";
import { diceOf } from "../dice.ts";
import { unclean, uncleanError } from "./answer.ts";
import { inside, makeGrounds, type Ground } from "./ground.ts";
import { mutationOf, type Mutation } from "./mutation.ts";
import { askEngine, askVerb } from "./processes.ts";

export interface FuzzWish {
  project: string;
  /** A stack of each system to be fuzzed. */
  sources: readonly OpenStack[];
  mutations: number;
  seed: string;
  /** How many of them are also given to the verbs, and to the engine, as processes. */
  verbs: number;
  updates: number;
  /** Whether there is a deployed stack among those that are fuzzed. */
  deployed: boolean;
}

export interface FuzzResult {
  mutations: number;
  /** Unclear answers. */
  rawErrors: number;
  /** Mutations after which something had changed. */
  touched: number;
}

export interface Finding {
  number: number;
  what: string;
  input: string;
  problem: string;
}

/** Time limit of an answer, here and from a process. Milliseconds. */
const LIMIT_MS = { here: 10_000, process: 60_000 };

export async function fuzz(wish: FuzzWish, engine: Engine, say: (line: string) => void): Promise<FuzzResult & { findings: Finding[] }> {
  const { sources, mutations, seed } = wish;
  const grounds = await makeGrounds({ ...wish, engine, known: wish.updates > 0 });
  const findings: Finding[] = [];
  let touched = 0;
  say(`fuzz, seed ${seed}, ${mutations} mutations of ${sources.map(({ stack }) => stack).join(", ")}`);
  try {
    let before = grounds.fingerprint();
    for (let number = 1; number <= mutations; number++) {
      const dice = diceOf(`${seed}/${number}`);
      const ground = dice.pick(grounds.all);
      const mutation = mutationOf(dice, ground);
      const found = (problem: string): void => {
        findings.push({ number, what: `${ground.stack.stack}: ${mutation.what}`, input: mutation.input, problem });
        say(`  ${number}. ${ground.stack.stack}: ${mutation.what}: ${problem}`);
      };
      for (const ask of asksOf(wish, number)) {
        const problem = await inTime(() => ask(ground, mutation), ask === askHere ? LIMIT_MS.here : LIMIT_MS.process);
        if (problem !== null) found(problem);
      }
      const after = grounds.fingerprint();
      if (after !== before) {
        touched += 1;
        say(`  ${number}. ${ground.stack.stack}: ${mutation.what}: something has changed`);
      }
      before = after;
      if (number % 500 === 0) say(`  ${number} of ${mutations}`);
    }
  } finally {
    await grounds.remove();
  }
  return { mutations, rawErrors: new Set(findings.map(({ number }) => number)).size, touched, findings };
}

type Ask = (ground: Ground, mutation: Mutation) => Promise<string | null>;

/** Evenly spread: every n-th mutation is also given to a verb. */
function asksOf({ mutations, verbs, updates }: FuzzWish, number: number): Ask[] {
  const turn = (count: number): boolean => count > 0 && number % Math.max(1, Math.floor(mutations / count)) === 0;
  return [askHere, ...(turn(verbs) ? [withText(askVerb)] : []), ...(turn(updates) ? [withText(askEngine)] : [])];
}

/** In this process, with the functions that verbs and updates use. */
async function askHere({ stack }: Ground, mutation: Mutation): Promise<string | null> {
  try {
    const refused = await inside(stack, () => mutation.ask());
    return refused.map(unclean).find((problem) => problem !== null) ?? null;
  } catch (error) {
    return uncleanError(error);
  }
}

/** With the mutated text in the stack file meanwhile. */
function withText(ask: Ask): Ask {
  return async (ground, mutation) => {
    if (mutation.words === null) return null;
    const { file } = ground.stack;
    writeFileSync(file, mutation.text ?? ground.opened.text);
    try {
      return await ask(ground, mutation);
    } finally {
      writeFileSync(file, ground.opened.text);
    }
  };
}

async function inTime(work: () => Promise<string | null>, limitMs: number): Promise<string | null> {
  const begun = performance.now();
  const problem = await work();
  const took = performance.now() - begun;
  return problem ?? (took > limitMs ? `the answer took ${(took / 1000).toFixed(1)} s` : null);
}
