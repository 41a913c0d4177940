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
  "test/peers/**",
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
const WITH_MOCKS = {
  unit: ["test/processes/passing-port.test.ts", "test/rollout/refusals.test.ts", "test/scripts/pulumi/rollback-goal.test.ts"],
  servers: ["test/databases/engines/room.test.ts", "test/scripts/verbs/{alternative,services,traffic,undo-pins}.test.ts"],
};

/** More at a time than there are cores: they wait for servers and engines as long as they compute. A share above 100 % counts as 100 %. */
const MORE_THAN_CORES = Math.ceil(availableParallelism() * 1.5);

/** A group ends with its slowest file, so all but the last are one. */
function project(name: string, timeoutMs: number) {
  return {
    name,
    setupFiles: ["./test/support/setup.ts"],
    maxWorkers: MORE_THAN_CORES,
    sequence: { groupOrder: 1 },
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
  };
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/support/ran-reporter.ts", "./test/support/totals-reporter.ts"],
    projects: [
      // Loading what they share takes longer than most of the tests themselves.
      {
        test: {
          ...project("unit", 60_000),
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/requirements.test.ts", ...WITH_SERVERS, ...WITH_MOCKS.unit],
        },
      },
      { test: { ...project("unit-alone", 60_000), include: WITH_MOCKS.unit } },
      { test: { ...project("servers", 60_000), isolate: false, include: WITH_SERVERS, exclude: WITH_MOCKS.servers } },
      { test: { ...project("servers-alone", 60_000), include: WITH_MOCKS.servers } },
      { test: { ...project("e2e", 300_000), include: ["test/e2e/**/*.test.ts"] } },
      // Last: compares the requirements with what the others really showed.
      { test: { name: "requirements", sequence: { groupOrder: 2 }, include: ["test/requirements.test.ts"] } },
    ],
  },
});
