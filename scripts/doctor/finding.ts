/** What `backout doctor` finds. */
export interface Finding {
  /** What was checked. */
  check: string;
  status: "ok" | "warning" | "failure";
  detail: string;
  /** What to run or write; null: nothing, or the detail says it. */
  fix: string | null;
}

export const ok = (check: string, detail: string): Finding => ({ check, status: "ok", detail, fix: null });
export const warning = (check: string, detail: string, fix: string | null = null): Finding => ({ check, status: "warning", detail, fix });
export const failure = (check: string, detail: string, fix: string | null = null): Finding => ({ check, status: "failure", detail, fix });

/** A check that says what is wrong by what it throws. @returns what went wrong; null: nothing */
export async function problemOf(work: () => unknown): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** One failure for each reason; without any, all is well. */
export function failures(check: string, reasons: readonly string[], well: string, fix: string | null = null): Finding[] {
  return reasons.length === 0 ? [ok(check, well)] : reasons.map((reason) => failure(check, reason, fix));
}
