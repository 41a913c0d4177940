/** Switches on a defect of a sample release over HTTP, for drills, and connects to the system meanwhile. */
import { bodyOf, readJson, send, type Access } from "./client.ts";
import type { DrillContext } from "../../config/system/drill.ts";

const TIMEOUT_MS = 10_000;

/** A defect could not be switched on: the drill would test nothing. */
export class FaultNotSwitchedError extends Error {
  readonly fault: string;
  /** @param release the release with the defect. */
  constructor(fault: string, release: string, cause: unknown) {
    super(
      `fault "${fault}" could not be switched on: ${cause instanceof Error ? cause.message : String(cause)}; ` +
        `it is a defect of ${release}, which must run with FAULTS_ENABLED=1 in its configuration`,
      { cause },
    );
    this.name = "FaultNotSwitchedError";
    this.fault = fault;
  }
}

/** A drill's access to the system. */
export function accessOf(context: DrillContext): Access {
  return {
    url: (service) => context.url(service),
    secret: (name) => context.secret(name),
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }),
  };
}

export interface Switch {
  service: string;
  /** The release that has the defect. */
  release: string;
  /** Logs in, where only users may switch. */
  login?: (access: Access) => Promise<string>;
}

type SwitchOn = (context: DrillContext) => Promise<unknown>;

/** One thing after another. */
export const inTurn =
  (...steps: SwitchOn[]) =>
  async (context: DrillContext): Promise<void> => {
    for (const step of steps) await step(context);
  };

/** What somebody who is logged in sees or does. */
export const asUser =
  <T>(login: (access: Access) => Promise<string>, work: (access: Access, token: string, context: DrillContext) => Promise<T>) =>
  async (context: DrillContext): Promise<T> => {
    const access = accessOf(context);
    return work(access, await login(access), context);
  };

/** A new record of a user's: the damage of many defects comes with writes, and nobody else may write just now. */
export const written = ({ service, login }: Required<Omit<Switch, "release">>, path: string, body: (id: string) => object) =>
  asUser(login, (access, token) => readJson(access, service, token, path, { method: "POST", body: body(`DRILL-${Date.now()}`) }));

/** How a release's defects are switched on. What is returned throws FaultNotSwitchedError. */
export function switchOf({ service: usual, release, login }: Switch) {
  return (fault: string, figures: Record<string, number> = {}, service = usual) =>
    async (context: DrillContext): Promise<void> => {
      try {
        const access = accessOf(context);
        const token = login === undefined ? null : await login(access);
        const body = { name: fault, on: true, ...figures };
        await bodyOf("POST /__faults", await send(access, service, token, "/__faults", { method: "POST", body }));
      } catch (error) {
        throw new FaultNotSwitchedError(fault, release, error);
      }
    };
}
