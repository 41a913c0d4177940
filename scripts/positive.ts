import { InvalidArgumentError } from "commander";

/** A whole number from 1, as an option's argument. @throws InvalidArgumentError */
export function positive(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("must be a whole number from 1");
  return count;
}
