import { relative } from "node:path";
import type { Reporter, TestModule, Vitest } from "vitest/node";
import { testsSeen, totals } from "../requirements/judge.ts";
import { beginRecord, readDrills, writeRan, type Ran, type RanTest } from "../requirements/ran.ts";
import { readRequirements } from "../requirements/requirements.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder of the record of this run. */
    ran: string;
  }
}

/**
 * Writes down which tests ran and how they ended, file by file, so that what runs last can read it. Ends with how many requirements are shown by what
 * ran, how many are recorded as data, and how many are pending.
 */
export default class RanReporter implements Reporter {
  #root = process.cwd();
  #folder = "";
  #ran: Ran = { pattern: null, files: {} };

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
    this.#folder = beginRecord(this.#root);
    this.#ran.pattern = vitest.config.testNamePattern?.source ?? null;
    vitest.provide("ran", this.#folder);
    writeRan(this.#folder, this.#ran);
  }

  onTestModuleEnd(module: TestModule): void {
    const errors = module.errors().length + [...module.children.allSuites()].reduce((sum, suite) => sum + suite.errors().length, 0);
    const tests = [...module.children.allTests()].map((test): RanTest => {
      const result = test.result();
      if (result.state === "passed" || result.state === "failed") return { name: test.fullName, outcome: result.state };
      return { name: test.fullName, outcome: "skipped", reason: (result.state === "skipped" && result.note) || "no reason given" };
    });
    this.#ran.files[relative(this.#root, module.moduleId)] = { errors, tests };
    writeRan(this.#folder, this.#ran);
  }
  onTestRunEnd(): void {
    process.stdout.write(`${totals(readRequirements(), { tests: testsSeen(this.#ran), drills: readDrills(this.#folder) })}\n`);
  }
}
