/**
 * The judge: `node drill/witness/judge-main.ts <question.json>`, a `JudgeQuestion` (see judge.ts). Prints the judgement as JSON.
 *
 * Exit status: 0 nothing lost, wrong or resurrected, 1 something was, 2 it could not be judged.
 */
import { readFileSync } from "node:fs";
import { judge, type JudgeQuestion } from "./judge.ts";

try {
  const file = process.argv[2];
  if (file === undefined) throw new Error("name the question: node drill/witness/judge-main.ts <question.json>");
  const judgement = await judge(JSON.parse(readFileSync(file, "utf8")) as JudgeQuestion);
  process.stdout.write(`${JSON.stringify(judgement, null, 2)}\n`);
  process.exitCode = judgement.lost.length + judgement.wrong.length + judgement.resurrected.length > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
