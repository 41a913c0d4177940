/** A change somewhere inside of a value: another kind, a slip in a key, something left out, something twice. The value itself stays as it is. */
import type { Dice } from "../dice.ts";
import { NAMES, slip, VALUES } from "./hostile.ts";

type Path = (string | number)[];

/** @returns the changed value, and what was changed, in words. */
export function mutateTree(dice: Dice, value: unknown): { value: unknown; what: string } {
  const path = anyPath(dice, value);
  const at = path.join(".");
  const key = path.at(-1);
  if (key === undefined) return { value: dice.pick(VALUES), what: "the whole is another" };
  const parent = path.slice(0, -1);
  switch (dice.between(0, 5)) {
    case 0:
      return { value: edited(value, parent, (holder) => without(holder, key)), what: `${at} left out` };
    case 1: {
      const name = dice.chance(0.5) ? slip(dice, String(key)) : dice.pick(NAMES);
      return {
        value: edited(value, parent, (holder) => renamed(holder, key, name)),
        what: `${at} is called ${JSON.stringify(name).slice(0, 60)}`,
      };
    }
    case 2: {
      const name = dice.pick(NAMES);
      return {
        value: edited(value, path, (inner) => added(inner, name, dice.pick(VALUES))),
        what: `${at} has ${JSON.stringify(name).slice(0, 60)}, too`,
      };
    }
    case 3: {
      const given = at === "" ? value : valueAt(value, path);
      if (typeof given === "string") return { value: edited(value, path, () => slip(dice, given)), what: `${at} with a slip` };
    }
    // falls through
    default: {
      const other = dice.pick(VALUES);
      return { value: edited(value, path, () => other), what: `${at} is ${(JSON.stringify(other) ?? "nothing").slice(0, 60)}` };
    }
  }
}

function isHolder(value: unknown): value is Record<string, unknown> | unknown[] {
  return typeof value === "object" && value !== null;
}

function anyPath(dice: Dice, value: unknown): Path {
  const path: Path = [];
  for (let inner = value; isHolder(inner);) {
    const keys = Object.keys(inner);
    if (keys.length === 0 || (path.length > 0 && dice.chance(0.25))) return path;
    const key = dice.pick(keys);
    path.push(Array.isArray(inner) ? Number(key) : key);
    inner = (inner as Record<string, unknown>)[key];
  }
  return path;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown>)[key], value);
}

function edited(value: unknown, path: Path, change: (inner: unknown) => unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  const inner = edited((value as Record<string | number, unknown>)[key], rest, change);
  return Array.isArray(value) ? value.with(key as number, inner) : withKey(value as Record<string, unknown>, String(key), inner);
}

/** `__proto__` is a key like any other. */
function withKey(holder: Record<string, unknown>, key: string, inner: unknown): Record<string, unknown> {
  return Object.fromEntries([...Object.entries(holder).filter(([name]) => name !== key), [key, inner]]);
}

function without(holder: unknown, key: string | number): unknown {
  if (Array.isArray(holder)) return holder.toSpliced(Number(key), 1);
  return Object.fromEntries(Object.entries(holder as object).filter(([name]) => name !== key));
}

function renamed(holder: unknown, key: string | number, name: string): unknown {
  if (Array.isArray(holder)) return (holder as unknown[]).concat([holder[Number(key)]]);
  return Object.fromEntries(Object.entries(holder as object).map(([old, inner]) => [old === key ? name : old, inner]));
}

function added(inner: unknown, name: string, value: unknown): unknown {
  if (Array.isArray(inner)) return (inner as unknown[]).concat([value]);
  return isHolder(inner) ? withKey(inner as Record<string, unknown>, name, value) : { [name]: value };
}
