import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/support/ran-reporter.ts", "./test/support/totals-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          sequence: { groupOrder: 1 },
          maxWorkers: "100%",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/requirements.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          // After the unit tests, and two at a time: end-to-end tests start servers and engines, and wait for them as long as they compute.
          sequence: { groupOrder: 2 },
          maxWorkers: 2,
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      // Last: compares the requirements with what the others really showed.
      { test: { name: "requirements", sequence: { groupOrder: 3 }, include: ["test/requirements.test.ts"] } },
    ],
  },
});
