import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take many minutes, longest first: begun last, one of them would run on alone. Then the other end-to-end tests, then the rest. */
const LONG = ["all-drills.test.ts", "kill.test.ts", "traps.test.ts", "drill.test.ts", "resume.test.ts", "rollback.test.ts"];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    const place = ({ moduleId, project }: TestSpecification): number => {
      const index = LONG.indexOf(basename(moduleId));
      return index === -1 ? LONG.length + (project.name === "e2e" ? 0 : 1) : index;
    };
    return usual.sort((a, b) => place(a) - place(b));
  }
}
