import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/ran-reporter.ts", "./test/support/totals-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          sequence: { groupOrder: 1 },
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/requirements.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          // After the unit tests: end-to-end tests start servers and engines, and the machine may have two cores.
          sequence: { groupOrder: 2 },
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      // Last: compares the requirements with what the others really showed.
      { test: { name: "requirements", sequence: { groupOrder: 3 }, include: ["test/requirements.test.ts"] } },
    ],
  },
});
