/** Failures that come before a fault shows, and obstacles for a rollback. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RolloutOutcome } from "../scripts/pulumi/roll-out.ts";
import type { Status } from "../scripts/pulumi/answers.ts";
import type { FaultDefinition } from "../config/system/drill.ts";
import { failed, passed } from "./checks.ts";
import { DrillStoppedError, type DrillFacts } from "./facts.ts";
import { withContext, type Stage } from "./stage.ts";
import { runVerb } from "./verbs.ts";
import { drillOf } from "../config/system/drill.ts";

/** A deployment that fails half-way, or an insufficient rollback: both must fail, with users kept out. */
export async function provoke(facts: DrillFacts, stage: Stage): Promise<void> {
  const drill = drillOf(stage.definition);
  const fault = drill.faults[facts.request.fault]!;
  if (fault.beforeDeploy !== undefined) {
    await withContext(stage, (context) => fault.beforeDeploy!(context));
    await expectFailure(stage, "deploy", [drill.from, "--yes", "--on-failure", "stop", "--reason", "drill"]);
  }
  if (fault.after !== undefined) {
    await expectFailure(stage, "rollback", ["--to", drill.to, "--scope", fault.after, "--yes", "--reason", "drill"]);
    facts.checks.push(await toldByStatus(stage));
  }
}

async function expectFailure(stage: Stage, verb: "deploy" | "rollback", parameters: string[]): Promise<void> {
  const { json, code } = await runVerb<RolloutOutcome>(stage.stack, verb, parameters);
  if (code === 0 || json === null || !("phases" in json))
    throw new DrillStoppedError(
      "fault-seen",
      `\`backout ${verb}\` was expected to fail after it started, and ${code === 0 ? "succeeded" : "was refused"}`,
    );
}

/** Status must show it. */
async function toldByStatus(stage: Stage): Promise<ReturnType<typeof passed>> {
  const { json, failure } = await runVerb<Status>(stage.stack, "status", []);
  const told = json?.schemaAhead ?? [];
  if (told.length === 0)
    return failed("told-by-status", failure ?? "status does not say that a service runs on a schema of a newer release");
  return passed("told-by-status", told.join("; "));
}

/** An obstacle for the rollback, until it is ended. */
export interface Hindrance {
  there: boolean;
  end(): Promise<void>;
}

export const NO_HINDRANCE: Hindrance = { there: false, end: async () => Promise.resolve() };

/** Takes the service's port as soon as it is free, so its other release cannot start there. */
export async function hinder({ site }: Stage, wanted: FaultDefinition["hinder"]): Promise<Hindrance> {
  if (wanted === undefined) return NO_HINDRANCE;
  const port = site.ports[`${wanted.portOf}-upstream`];
  if (port === undefined) throw new DrillStoppedError("rollback", `${wanted.portOf} has no port of its own to take`);
  const server = createServer((socket) => socket.destroy());
  let ended = false;
  const take = async (): Promise<void> => {
    while (!ended && !server.listening) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          server.off("error", done).off("listening", done);
          resolve();
        };
        server.once("error", done).once("listening", done);
        server.listen(port, "127.0.0.1");
      });
      if (!server.listening) await sleep(2);
    }
  };
  const taking = take();
  return {
    there: true,
    end: async () => {
      ended = true;
      await taking;
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
