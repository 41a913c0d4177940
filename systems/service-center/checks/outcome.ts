/** How a check ends. */
import type { CheckContext, CheckDefinition } from "../../../config/system/check.ts";

export type Outcome = Awaited<ReturnType<CheckDefinition["run"]>>;

export const passed = (detail: string): Outcome => ({ status: "passed", detail });
export const failed = (detail: string): Outcome => ({ status: "failed", detail });
export const skipped = (detail: string): Outcome => ({ status: "skipped", detail });

/** A check that throws has failed. */
export function check(id: string, title: string, run: (context: CheckContext) => Promise<Outcome>, writes = false): CheckDefinition {
  return {
    id,
    title,
    ...(writes ? { writes: true as const } : {}),
    run: (context) =>
      run(context).catch((error: unknown) => {
        const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
        return failed(`${error instanceof Error ? error.message : String(error)}${cause}`);
      }),
  };
}

/** Phase 1 is what a rollback leads to; Phase 2 what it leaves. */
export function onPhase1({ releases }: Pick<CheckContext, "releases">): boolean {
  return releases["app"] === "phase-1";
}
