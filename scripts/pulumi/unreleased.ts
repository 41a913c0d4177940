/** A stack file that has no ledger yet: its system is known, and nothing can be pinned. */
import { editPins } from "../../config/edit.ts";
import { hasLedger, openSystem, type OpenSystem, type StackFile } from "./stack.ts";

/** The system of a stack file, with or without ledger. @param release name of its first release, empty until it is entered */
export async function openUnreleased(found: StackFile, release: string): Promise<OpenSystem> {
  if (hasLedger(found)) return openSystem(found);
  const begun = editPins(found.text, [
    { path: ["releases"], value: { [release]: { services: {} } } },
    { path: ["release"], value: release },
  ]);
  return { ...(await openSystem(found, begun)), text: found.text };
}
