/** What a Pulumi program composes. */
export { Component, type ComponentArgs } from "./component.ts";
export { Database, type DatabaseArgs } from "./database.ts";
export { EmbeddedPostgres, type EmbeddedPostgresArgs } from "./embedded-postgres.ts";
export { Fence, type FenceArgs } from "./fence.ts";
export { Flags, type FlagsArgs } from "./flags.ts";
export { Open, type OpenArgs } from "./open.ts";
export { Plan, type PlanArgs } from "./plan.ts";
export { Record, type RecordArgs } from "./record.ts";
export { Resume, type ResumeArgs } from "./resume.ts";
export { RollbackStack, type RollbackStackArgs } from "./rollback-stack.ts";
export { Snapshots, type SnapshotsArgs } from "./snapshots.ts";
export { TrafficGate, type TrafficGateArgs } from "./traffic-gate.ts";
export { Verification, type VerificationArgs } from "./verification.ts";
export { DeclaredStateError, DeclaredStateErrors, parseDeclared } from "../declared/parse.ts";
export { resolvePins, type Pins } from "../declared/pins.ts";
export type { Declared } from "../declared/schema.ts";
export { definitionOf, siteOf, type Site } from "../declared/site.ts";
export type { SystemDefinition } from "../systems/definition.ts";
