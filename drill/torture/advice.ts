/** The command a message advises, as a person would take it from the words. Pure. */

export interface Advised {
  tool: "backout" | "pulumi";
  /** What follows the tool's name. */
  words: string[];
}

/** Read-only verbs: a message that names one does not advise it as the next step. */
const LOOKING = ["status", "preview", "history", "verify", "watch", "drill"];

/** The commands in backquotes that would change something, in their order. */
export function advisedIn(text: string): Advised[] {
  return [...text.matchAll(/`([^`]+)`/g)].flatMap(([, quoted = ""]) => {
    const command = commandIn(quoted);
    return command === null || LOOKING.includes(command.words[0] ?? "") ? [] : [command];
  });
}

/** `npm run pulumi -- up …`, `npx backout pulumi up …`, `npx backout rollback …`, `backout undo …`; null for anything else. */
export function commandIn(line: string): Advised | null {
  const found = /^(?:npm run (?:-s |--silent )?|npx )?(backout|pulumi)(?: --)? (.+)$/.exec(line.trim());
  if (found === null) return null;
  const [, tool, rest] = found as unknown as [string, Advised["tool"], string];
  const words = [...rest.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? "");
  return words[0] === "pulumi" ? { tool: "pulumi", words: words.slice(1) } : { tool, words };
}

/** Another process works on it: the message advises to wait. */
export function advisesToWait(text: string): boolean {
  return /\bis locked by\b|Wait for it to end|the stack is currently locked|currently being updated|is still (?:at work|working)/i.test(
    text,
  );
}
