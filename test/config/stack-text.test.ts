import { describe, expect, it } from "vitest";
import { editPins, rawConfig } from "../../config/edit.ts";
import { configOf, StackFileError } from "../../config/stack-text.ts";
import { STACK } from "./sample.ts";

function refused(text: string): StackFileError {
  try {
    rawConfig(text, "Pulumi.shop.yaml");
  } catch (error) {
    if (error instanceof StackFileError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const lineOf = (text: string, part: string): number => text.split("\n").findIndex((line) => line.includes(part)) + 1;
const changed = (from: string, to: string): string => STACK.replace(from, to);
const BOMB = `a: &a [x, x, x, x, x, x, x, x, x]\n${"bcdefgh".replaceAll(
  /./g,
  (letter) =>
    `${letter}: &${letter} [${Array(9)
      .fill(`*${String.fromCharCode(letter.charCodeAt(0) - 1)}`)
      .join(", ")}]\n`,
)}config: {}\n`;

describe("text that is no stack file", () => {
  it.each<[string, string, number, RegExp]>([
    ["an unclosed quote", changed("backout:data: current", 'backout:data: "current'), lineOf(STACK, "backout:data"), /not valid YAML/],
    [
      "a key given twice",
      changed("  backout:schema: keep", "  backout:schema: keep\n  backout:schema: down"),
      lineOf(STACK, "backout:schema") + 1,
      /twice/,
    ],
    ["an indent that fits nothing", changed("    port: 5440", "   port: 5440"), lineOf(STACK, "port: 5440"), /not valid YAML/],
    ["a second document", `${STACK}---\nconfig: {}\n`, STACK.split("\n").length, /second document/],
    [
      "half a flow map",
      changed("backout:flags", "x").replace("backout:data: current", "backout:data: {snapshot: before-v4.0.0@1"),
      lineOf(STACK, "backout:data"),
      /not valid YAML/,
    ],
  ])("%s: file, line and what is wrong", (_what, text, line, problem) => {
    const error = refused(text);
    expect(error.message).toMatch(problem);
    expect(error.message).toMatch(/^Pulumi\.shop\.yaml, line \d+: /);
    // A quote that is never closed is noticed where the text stops making sense.
    expect(error.line).toBeGreaterThanOrEqual(line);
    expect(error.message.split("\n")).toHaveLength(1);
  });

  it.each([
    ["a list", "- config\n", /must be a map/],
    ["a word", "config\n", /must be a map/],
    ["a list under config", "config: [1, 2]\n", /`config` must be a map/],
    ["a bomb of aliases", BOMB, /instead of aliases/],
  ])("%s is refused as a whole", (_what, text, problem) => {
    expect(refused(text).message).toMatch(problem);
  });

  it("is not edited either", () => {
    expect(() => editPins(changed("backout:data: current", 'backout:data: "current'), [{ path: ["release"], value: "v3.0.0" }])).toThrow(
      StackFileError,
    );
  });
});

it("an empty file, or one without configuration, holds nothing", () => {
  for (const text of ["", "# nothing yet\n", "config:\n", "encryptionsalt: v1:abc\n"]) expect(configOf(text)).toEqual({});
});
