/** Completion status of a rollback, computed from its metrics. Pure. */
import type { Completion, CompletionStatus, CompletionTarget, MeasuredTarget } from "../config/system/completion.ts";

/**
 * FAILED if users are not served. SUCCESS if every target was measured and met. PARTIAL SUCCESS otherwise: a metric without a measurement
 * is no success.
 * @param metrics values by metric; a missing one was not measured.
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
