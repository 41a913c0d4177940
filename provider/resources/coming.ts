/** The steps that come after the plan. Loaded while the engine and the databases are busy with the steps before them. */
const STEPS: (() => Promise<unknown>)[] = [
  () => import("../../crossing/steps/fence.ts"),
  () => import("../../crossing/steps/data.ts"),
  () => import("../../crossing/steps/resume.ts"),
  () => import("../../crossing/steps/verify.ts"),
  () => import("../../crossing/steps/open.ts"),
  () => import("../../crossing/steps/record.ts"),
];

/** Comes back at once. What cannot be loaded is told by the resource that needs it. */
export function loadComing(): void {
  void STEPS.reduce((before, step) => before.then(step), Promise.resolve<unknown>(undefined)).catch(() => undefined);
}
