/** One mutation: what is damaged, and the checks that a verb or an update would run on it. */
import { stringify } from "yaml";
import { editPins } from "../../config/edit.ts";
import { checkDefinition } from "../../config/definition.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { deployEdits } from "../../config/scope.ts";
import { configOf } from "../../config/stack-text.ts";
import { openStack, type OpenStack } from "../../scripts/pulumi/stack.ts";
import { standingOf } from "../../scripts/pulumi/standing.ts";
import { previewOf } from "../../scripts/pulumi/preview.ts";
import { rollbackText, type RollbackWish } from "../../scripts/pulumi/rollback-pins.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { Dice } from "../dice.ts";
import type { Ground } from "./ground.ts";
import { DAMAGES, NAMES, slip } from "./hostile.ts";
import { mutateTree } from "./tree.ts";

export interface Mutation {
  /** What was done, in words. */
  what: string;
  /** The input, for later debugging. */
  input: string;
  /** Words after `backout preview`; null: not given to a verb. */
  words: string[] | null;
  /** The stack file; null: as it was. */
  text: string | null;
  /** Sentences of a refusal; empty: allowed. @throws the errors of a verb */
  ask(): Promise<string[]>;
}

export function mutationOf(dice: Dice, ground: Ground): Mutation {
  const share = dice.between(0, 99);
  if (share < 40) return damaged(dice, ground);
  if (share < 70) return changedPins(dice, ground);
  return share < 82 ? named(dice, ground) : redefined(dice, ground);
}

async function asked(before: OpenStack, after: OpenStack): Promise<string[]> {
  return (await previewOf(before, after, false)).refused;
}

function ofText({ opened }: Ground, what: string, text: string): Mutation {
  return { what, input: text, text, words: [], ask: async () => asked(opened, await openStack(opened, text)) };
}

/** The text itself: what people do to YAML. */
function damaged(dice: Dice, ground: Ground): Mutation {
  let lines = ground.opened.text.split("\n");
  const names = Array.from({ length: dice.chance(0.7) ? 1 : 2 }, () => dice.pick(Object.keys(DAMAGES)));
  for (const name of names) lines = DAMAGES[name]!(dice, lines);
  return ofText(ground, names.join(", then "), lines.join("\n"));
}

/** What it says: keys and values. */
function changedPins(dice: Dice, ground: Ground): Mutation {
  const { value, what } = mutateTree(dice, configOf(ground.opened.text));
  return ofText(ground, what, stringify({ config: value }));
}

type Question = (name: string) => { words: string[]; after: (before: OpenStack) => Promise<OpenStack> };

const rolledBack =
  (words: (name: string) => string[], wish: (name: string) => RollbackWish): Question =>
  (name) => ({
    words: words(name),
    after: async (before) => openStack(before, await rollbackText(before, { ...wish(name), assume: true }, await standingOf(before))),
  });

/** Where a verb takes a name. */
const QUESTIONS: Record<string, Question> = {
  release: (name) => ({
    words: [],
    after: async (before) => openStack(before, editPins(before.text, deployEdits(before.definition, name))),
  }),
  "--to": rolledBack(
    (name) => [`--to=${name}`],
    (to) => ({ to }),
  ),
  "--scope": rolledBack(
    (name) => [`--scope=${name}`],
    (scope) => ({ scope }),
  ),
  "--service": rolledBack(
    (name) => [`--service=${name}`],
    (service) => ({ service }),
  ),
  "--snapshot": rolledBack(
    (name) => [`--snapshot=${name}`],
    (snapshot) => ({ snapshot }),
  ),
  "--new-writes": rolledBack(
    (name) => [`--new-writes=${name}`],
    (newWrites) => ({ newWrites }),
  ),
  "--with": rolledBack(
    (name) => [`--with=${name}`],
    (text) => ({ with: [text] }),
  ),
};

function named(dice: Dice, { opened }: Ground): Mutation {
  const kind = dice.pick(Object.keys(QUESTIONS));
  const name = dice.chance(0.8)
    ? dice.pick(NAMES)
    : slip(dice, dice.pick([...Object.keys(opened.config.releases), ...Object.keys(opened.definition.scopes)]));
  const { words, after } = QUESTIONS[kind]!(name);
  return {
    what: `${kind} ${JSON.stringify(name).slice(0, 80)}`,
    input: name,
    text: null,
    // No process can be given such an argument.
    words: words.length === 0 || name.includes("\0") || name.length > 10_000 ? null : words,
    ask: async () => asked(opened, await after(opened)),
  };
}

/** A user's own definition. */
function redefined(dice: Dice, { opened }: Ground): Mutation {
  const { value, what } = mutateTree(dice, opened.definition);
  return {
    what: `definition: ${what}`,
    input: what,
    text: null,
    words: null,
    ask: async () => {
      const definition: SystemDefinition = checkDefinition(value);
      const pins = resolvePins(opened.config, definition);
      return asked(opened, { ...opened, definition, pins });
    },
  };
}
