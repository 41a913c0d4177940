/** Line v2.0.0: also the rules of progression, over stations and orders. Has defects, which a drill switches on. */
import { startLine } from "../../../program/line.ts";
import { defectiveLine, DEFECTS } from "../../../program/defects.ts";

await startLine("v2.0.0", DEFECTS, defectiveLine);
