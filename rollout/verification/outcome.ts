/** How a check ends, and how it is declared. */
import type { CheckContext, CheckDefinition, Figures } from "../../config/system/check.ts";

export type Outcome = Awaited<ReturnType<CheckDefinition["run"]>>;

export const passed = (detail: string, figures?: Figures): Outcome => ({ status: "passed", detail, ...(figures && { figures }) });
export const failed = (detail: string, figures?: Figures): Outcome => ({ status: "failed", detail, ...(figures && { figures }) });
export const skipped = (detail: string): Outcome => ({ status: "skipped", detail });

/** A check that writes, and removes what it wrote. */
export function writingCheck(...given: Parameters<typeof check>): CheckDefinition {
  return { ...check(...given), writes: true };
}

/** A check that only sends HTTP requests. */
export function askingCheck(...given: Parameters<typeof check>): CheckDefinition {
  return { ...check(...given), asks: true };
}

/** A check that throws has failed. */
export function check(id: string, title: string, run: (context: CheckContext) => Promise<Outcome> | Outcome): CheckDefinition {
  const judged = async (context: CheckContext): Promise<Outcome> => {
    try {
      return await run(context);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
      return failed(`${error instanceof Error ? error.message : String(error)}${cause}`);
    }
  };
  return { id, title, run: judged };
}
