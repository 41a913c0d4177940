/**
 * Supervision of services that run as processes of this machine. No daemon: everything is read from the records, the process table and the
 * markers each time.
 */
export { AnotherRunningError, BackgroundError, PortTakenError, StartError, StillRunningError } from "./errors.ts";
export { askHealth, NeverHealthyError, waitHealthy, waitProcessHealthy } from "./health.ts";
export type { HealthAnswer, HealthOptions } from "./health.ts";
export { errorLines, errorLogBytes } from "./logs.ts";
export { observeProcess, runningNames } from "./observe.ts";
export type { ProcessObservation } from "./observe.ts";
export { recordChange } from "./record.ts";
export type { ProcessRecord } from "./record.ts";
export { exitStateOf, startProcess } from "./start.ts";
export type { ExitState, ProcessSpec } from "./start.ts";
export { confirmStopped, stopProcess } from "./stop.ts";
export type { StopResult } from "./stop.ts";
