/** Figures in words, and text escaped for each output format. */

/** Share of the budget used: `4 %`; null: no budget. */
export function ofBudget(seconds: number, budgetSeconds: number | null): string | null {
  if (budgetSeconds === null) return null;
  if (budgetSeconds === 0) return seconds === 0 ? "0 %" : "over";
  const percent = (seconds / budgetSeconds) * 100;
  return percent > 0 && percent < 1 ? "under 1 %" : `${Math.round(percent)} %`;
}

// Control characters drive terminals, and directional overrides make a text read as another one.
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

function printable(text: string): string {
  return text.toWellFormed().replaceAll("\r\n", "\n").replace(UNPRINTABLE, "\ufffd");
}

export function oneLine(text: string): string {
  return printable(text.replace(/[\r\n\t\u2028\u2029]+/g, " "));
}

const HTML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** For text and for quoted attributes. */
export function html(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => HTML[character] ?? character);
}

/** For a cell of a table or a line: no markup, no line break, nobody mentioned. */
export function markdown(text: string): string {
  return oneLine(text)
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/[\\`*_{}[\]|#!~>]/g, "\\$&")
    .replace(/(^|[^\w&;])@/g, "$1&#64;");
}
