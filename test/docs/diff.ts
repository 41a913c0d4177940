/** The lines that differ between two YAML files, each with the keys it stands below. */

interface Line {
  sign: "-" | "+" | " ";
  text: string;
}

/** As `diff` would print it, but with nothing around a change except its parent keys. */
export function yamlDiff(before: string, after: string): string[] {
  const [old, now] = [withoutComments(before), withoutComments(after)];
  const script = edits(old, now);
  const shown = new Set<number>();
  script.forEach(({ sign }, index) => {
    if (sign === " ") return;
    shown.add(index);
    for (const parent of parents(script, index)) shown.add(parent);
  });
  return [...shown].sort((a, b) => a - b).map((index) => `${script[index]!.sign}${script[index]!.text}`);
}

function withoutComments(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("#"));
}

/** Longest common subsequence; removed lines come before added ones. */
function edits(old: readonly string[], now: readonly string[]): Line[] {
  const length = Array.from({ length: old.length + 1 }, () => new Array<number>(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      length[i]![j] = old[i] === now[j] ? length[i + 1]![j + 1]! + 1 : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) lines.push({ sign: " ", text: old[(i++, j++, i - 1)]! });
    else if (j >= now.length || (i < old.length && length[i + 1]![j]! >= length[i]![j + 1]!)) lines.push({ sign: "-", text: old[i++]! });
    else lines.push({ sign: "+", text: now[j++]! });
  }
  return lines;
}

const depth = ({ text }: Line): number => text.length - text.trimStart().length;

/** Lines above with less indentation that are in both files, but for the outermost. */
function parents(script: readonly Line[], index: number): number[] {
  const found: number[] = [];
  let inside = depth(script[index]!);
  for (let above = index - 1; above >= 0; above--) {
    const line = script[above]!;
    if (line.sign === (script[index]!.sign === "-" ? "+" : "-") || depth(line) >= inside) continue;
    inside = depth(line);
    if (inside > 0 && line.sign === " ") found.push(above);
  }
  return found;
}
