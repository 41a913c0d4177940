import type { Command } from "commander";
export function addDrill(program: Command): void {
  program.command("drill [system]").description("rehearse a rollback in an ephemeral stack");
}
