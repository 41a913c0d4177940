/** How a rollback ended, computed from its figures. Pure. */
import type { Completion, CompletionStatus, CompletionTarget, MeasuredTarget } from "../config/system/completion.ts";

/**
 * FAILED where users are not served. SUCCESS where every target is known to be met. PARTIAL SUCCESS otherwise: a figure nobody took is no success.
 * @param metrics figures by metric; one that is missing was not measured.
 */
export function completionOf(restored: boolean, targets: readonly CompletionTarget[], metrics: Record<string, number | null>): Completion {
  const measured = targets.map((target) => measure(target, metrics[target.metric] ?? null));
  return { status: statusOf(restored, measured), targets: measured };
}

function statusOf(restored: boolean, targets: readonly MeasuredTarget[]): CompletionStatus {
  if (!restored) return "FAILED";
  return targets.every(({ met }) => met === true) ? "SUCCESS" : "PARTIAL SUCCESS";
}

function measure(target: CompletionTarget, actual: number | null): MeasuredTarget {
  const { metric, title } = target;
  return { metric, title, target: limitOf(target), actual, met: actual === null ? null : meets(target, actual) };
}

function meets({ below, above, atMost }: CompletionTarget, actual: number): boolean {
  if (!Number.isFinite(actual)) return false;
  return (below === undefined || actual < below) && (above === undefined || actual > above) && (atMost === undefined || actual <= atMost);
}

function limitOf({ below, above, atMost, unit }: CompletionTarget): string {
  const limits = [
    ...(below === undefined ? [] : [`< ${below}`]),
    ...(above === undefined ? [] : [`> ${above}`]),
    ...(atMost === undefined ? [] : [`<= ${atMost}`]),
  ];
  return `${limits.join(" and ")} ${unit}`;
}
