/** Defects of a sample release that a drill switches on while it runs. Only a release that has defects uses this. */
import { HttpError, type Route } from "./http.ts";
import type { Log } from "./log.ts";

export interface FaultBoard {
  isOn(name: string): boolean;
  /** A figure given with the switch, e.g. `share`. */
  figure(name: string, key: string, otherwise: number): number;
  /** `POST /__faults {name, on, …}`; empty unless `enabled`, so nobody breaks a system by accident. */
  routes: Route[];
}

export function createFaultBoard(names: readonly string[], enabled: boolean, log: Log): FaultBoard {
  const on = new Map<string, Record<string, unknown>>();
  const set = (name: string, value: boolean, figures: Record<string, unknown> = {}): void => {
    if (value === on.has(name) && Object.keys(figures).length === 0) return;
    if (value) on.set(name, figures);
    else on.delete(name);
    log.info("fault switched", { fault: name, on: value });
  };
  const route: Route = {
    method: "POST",
    path: "/__faults",
    handle: ({ body }) => {
      const { name, on: value, ...figures } = body;
      if (typeof name !== "string" || !names.includes(name) || typeof value !== "boolean")
        throw new HttpError(400, `needs {name, on}; faults are ${names.join(", ")}`);
      set(name, value, figures);
      return { json: { name, on: value } };
    },
  };
  return {
    isOn: (name) => on.has(name),
    figure: (name, key, otherwise) => {
      const value = on.get(name)?.[key];
      return typeof value === "number" ? value : otherwise;
    },
    routes: enabled ? [route] : [],
  };
}
