import type { FaultDefinition } from "../../../config/system/drill.ts";
import { badInlineEdits, badTransaction, brokenDatabase, dataCorruption } from "./data.ts";
import { slowResponses } from "./service.ts";

export const FAULTS: Record<string, FaultDefinition> = {
  "data-corruption": dataCorruption,
  "bad-inline-edits": badInlineEdits,
  "bad-transaction": badTransaction,
  "broken-database": brokenDatabase,
  "slow-responses": slowResponses,
};
