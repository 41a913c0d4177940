/** Repeatable random choices: the same seed makes the same choices. */
import { createHash } from "node:crypto";

export interface Dice {
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean;
  /** @throws RangeError for an empty list. */
  pick<T>(list: readonly T[]): T;
}

/** Mulberry32, from the hash of a seed: small, even enough for choices, the same on every machine. */
export function diceOf(seed: string): Dice {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    between: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: (probability) => next() < probability,
    pick: (list) => {
      if (list.length === 0) throw new RangeError("the list is empty");
      return list[Math.floor(next() * list.length)]!;
    },
  };
}

/** A seed for a run without one. */
export function anySeed(): string {
  return String(Math.floor(Math.random() * 1_000_000));
}
