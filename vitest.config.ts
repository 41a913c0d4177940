import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

/** They start PostgreSQL servers, containers, engines or whole systems: `npm run check` leaves them out. */
const WITH_SERVERS = [
  "test/bench/{manual-restore,writer}.test.ts",
  "test/databases/{engines,in-place,postgres}/**",
  "test/databases/shared/identifiers.test.ts",
  "test/drill/witness.test.ts",
  "test/fuzz.test.ts",
  "test/provider/**",
  "test/rollout/{carry-over,standby}.test.ts",
  "test/rollout/repairs/**",
  "test/scripts/*.test.ts",
  "test/scripts/pulumi/{lock,sources}.test.ts",
  "test/scripts/verbs/**",
  "test/systems/**",
  "test/traffic/nginx.test.ts",
  "test/workloads/**",
].map((folder) => folder.replace(/\*\*$/, "**/*.test.ts"));

/** They exchange modules, which others must not find exchanged. */
const WITH_MOCKS = ["test/processes/passing-port.test.ts", "test/rollout/refusals.test.ts", "test/scripts/pulumi/rollback-goal.test.ts"];

/** More at a time than there are cores: they wait for servers and engines as long as they compute. A share above 100 % counts as 100 %. */
const MORE_THAN_CORES = Math.ceil(availableParallelism() * 1.5);

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/support/ran-reporter.ts", "./test/support/totals-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          // Loading what they share takes longer than the tests themselves.
          isolate: false,
          sequence: { groupOrder: 1 },
          maxWorkers: MORE_THAN_CORES,
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/requirements.test.ts", ...WITH_SERVERS, ...WITH_MOCKS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "mocks",
          sequence: { groupOrder: 1 },
          maxWorkers: MORE_THAN_CORES,
          include: WITH_MOCKS,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "servers",
          // With the end-to-end tests, which begin first: a group ends with its slowest file, so there are few groups.
          sequence: { groupOrder: 1 },
          maxWorkers: MORE_THAN_CORES,
          include: WITH_SERVERS,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          sequence: { groupOrder: 1 },
          maxWorkers: MORE_THAN_CORES,
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      // Last: compares the requirements with what the others really showed.
      { test: { name: "requirements", sequence: { groupOrder: 2 }, include: ["test/requirements.test.ts"] } },
    ],
  },
});
