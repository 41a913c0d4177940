/** What verbs say about a stack on which nothing has opened yet. */
import { commandOf } from "../../config/commands.ts";
import { RefusedError } from "../../config/errors.ts";
import type { OpenStack } from "./stack.ts";

type Named = Pick<OpenStack, "project" | "stack" | "pins">;

/** The command that deploys the pinned release. */
export function deployCommand({ project, stack, pins }: Named): string {
  return commandOf(project, "backout", `deploy ${pins.release} --stack ${stack}`);
}

export class NotDeployedError extends RefusedError {
  override readonly stack: string;
  constructor(stack: Named) {
    super(`${stack.stack} is not deployed yet; nothing was changed. To deploy it, run \`${deployCommand(stack)}\``);
    this.name = "NotDeployedError";
    this.stack = stack.stack;
  }
}
