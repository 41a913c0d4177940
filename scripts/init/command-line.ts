/** Command lines, as compose files, Dockerfiles and Procfiles write them, become the command of a process. */

/** Anything that only a shell understands. */
const NEEDS_SHELL = /[$|&;<>()`*?~#]|^\w+=/;

/** The words of a line that needs no shell; else a shell that runs it. */
export function commandOfLine(line: string): string[] {
  const text = line.trim();
  if (NEEDS_SHELL.test(text)) return ["sh", "-c", /^\w+=|&&|\|\||[;|&(]/.test(text) ? text : `exec ${text}`];
  return wordsOf(text);
}

/** Splits at blanks outside of quotes. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|[^\s"']+)+/g)].map((match) =>
    match[0].replaceAll(
      /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
      (_all, double?: string, single?: string) => double?.replaceAll(/\\(.)/g, "$1") ?? single ?? "",
    ),
  );
}

/** A line that a shell splits into the same words. */
export function lineOf(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** The command with the port that backout gives, where it names one of its own. @param inner the port it names */
export function onGivenPort(command: readonly string[], inner: number | undefined): string[] {
  if (inner === undefined) return [...command];
  const port = new RegExp(`(?<![\\d.])${inner}(?!\\d)`, "g");
  if (!command.some((word) => port.test(word))) return [...command];
  const shell = command[0] === "sh" && command[1] === "-c";
  const line = (shell ? command[2]! : lineOf(command)).replaceAll(port, () => "$PORT").replaceAll("0.0.0.0:$PORT", () => "127.0.0.1:$PORT");
  return shell ? ["sh", "-c", line] : ["sh", "-c", `exec ${line}`];
}

/** The program of a command, behind a shell's `exec`. */
export function rewritten(command: readonly string[], program: (name: string) => string): string[] {
  if (command[0] !== "sh" || command[1] !== "-c") return command.map((word, index) => (index === 0 ? program(word) : word));
  return [
    "sh",
    "-c",
    command[2]!.replaceAll(/(^|&& |; |exec )([\w.-]+)/g, (_all, before: string, name: string) => `${before}${program(name)}`),
  ];
}
