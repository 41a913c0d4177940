/** Line v1.0.0: the seven rules of a row. */
import { startLine } from "../../../program/line.ts";
import { BARCODE, PASS } from "../../../program/panels.ts";

await startLine("v1.0.0", [], () => ({ barcode: () => BARCODE, begin: () => ({}), pass: () => PASS }));
