/** How a round begins: what a person would write into the stack file, and the command that person types. */
import { writeFileSync } from "node:fs";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { deployEdits, scopeEdits } from "../../config/scope.ts";
import type { Status } from "../../scripts/pulumi/answers.ts";
import { pinsNow, type Stage } from "../stage.ts";
import type { Advised } from "./advice.ts";
import { brokenRelease } from "./broken.ts";
import type { Action } from "./choices.ts";
import { drillOf } from "../../config/system/drill.ts";

/** Edits the stack file like a person, and returns the command to type. */
export async function begin(stage: Stage, number: number, action: Action, status: Status | null): Promise<Advised> {
  const { definition, stack } = stage;
  const { from, to } = drillOf(definition);
  const { text, config } = await pinsNow(stage);
  const pin = (edits: PinEdit[]): void => writeFileSync(stack.file, editPins(text, edits));
  // A person who deploys a release again has fixed it, and removes its block.
  const lifted: PinEdit[] = ["blocked", "freeze"].map((key) => ({ path: [key as "blocked"], value: undefined }));
  const skip = (definition.deployment?.before ?? []).includes("trial-rollback") ? ["--skip", "trial-rollback"] : [];
  const up: Advised = { tool: "pulumi", words: ["up"] };
  switch (action.kind) {
    case "deploy":
      pin(action.by === "verb" ? lifted : [...lifted, ...deployEdits(definition, from)]);
      return action.by === "pins" ? up : { tool: "backout", words: ["deploy", from, "--reason", "torture", ...skip] };
    case "failing-deploy": {
      const name = `broken-${number}`;
      pin([...lifted, await brokenRelease(stage, name, action.defect)]);
      return { tool: "backout", words: ["deploy", name, "--reason", "torture", ...skip] };
    }
    case "rollback": {
      if (action.by === "verb") return { tool: "backout", words: ["rollback", "--scope", action.scope, "--reason", "torture"] };
      const restarts = Object.fromEntries(Object.entries(config.services).map(([name, { restart = 0 }]) => [name, restart]));
      pin(scopeEdits(definition, { scope: action.scope, to, snapshots: snapshotsFor(status, from), block: null, restarts }));
      return up;
    }
    case "undo": {
      if (action.by === "verb") return { tool: "backout", words: ["undo", "--reason", "torture"] };
      const names = Object.fromEntries((status?.quarantines ?? []).map(({ database, name }) => [database, `quarantine:${name}`]));
      const data = Object.values(names).length === 1 ? Object.values(names)[0] : names;
      pin([...lifted, ...deployEdits(definition, from), { path: ["data"], value: data }]);
      return up;
    }
  }
}

/** The newest snapshot before the release, by database. */
function snapshotsFor(status: Status | null, release: string): Record<string, string> {
  const own = (status?.snapshots ?? []).filter(({ name }) => name.startsWith(`before-${release}@`));
  return Object.fromEntries(own.map(({ database, name }) => [database, name]));
}
