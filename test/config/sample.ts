/** A stack file as a person keeps it, and what a program is handed of it. */
import { rawConfig } from "../../config/edit.ts";
import { parseConfig } from "../../config/parse.ts";
import type { Pins } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import type { StackConfig } from "../../config/schema.ts";
import type { DrilledSystem } from "../../config/system/definition.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";

export const definition: DrilledSystem = pfaVanguard;

const hash = (digit: string): string => `${digit}f`.repeat(32);

/** PFA Vanguard at v4.0.0. */
export const STACK = `# PFA Vanguard: what it should be now.
config:
  backout:system: pfa-vanguard
  backout:target: process
  # The server backout brings along.
  backout:server:
    embedded: true
    port: 5440
  backout:ports:
    backend: 8440
    frontend: 8441
    backend-upstream: 8442
    worker: 8443
  # The ledger.
  backout:releases:
    v3.0.0:
      schema:
        pfa: 20250915000002_forecast_window
      services:
        backend:
          path: releases/v3.0.0/backend
          sha256: ${hash("1")}
        worker:
          path: releases/v3.0.0/worker
          sha256: ${hash("2")}
        frontend:
          path: releases/v3.0.0/frontend
          sha256: ${hash("3")}
    v4.0.0:
      schema:
        pfa: 20251128000003_phase4_bidirectional_sync_infrastructure
      services:
        backend:
          path: releases/v4.0.0/backend
          sha256: ${hash("4")}
        worker:
          path: releases/v4.0.0/worker
          sha256: ${hash("5")}
        frontend:
          path: releases/v4.0.0/frontend
          sha256: ${hash("6")}
  # THE PINS. The release every service runs.
  backout:release: v4.0.0
  # The data: \`current\`, or the exact snapshot it descends from.
  backout:data: current
  backout:schema: keep
  # Maintenance: off, or {mode: read-only | full, message: "…"}.
  backout:maintenance: off
  backout:backups:
    keep: 3
    quarantines: 3
  backout:standby: deploy
  backout:newWrites: export
encryptionsalt: v1:abc=:v1:def==
`;

export function rawOf(text: string = STACK, change: Record<string, unknown> = {}): Record<string, unknown> {
  const raw = { ...rawConfig(text), ...Object.fromEntries(Object.entries(change).map(([key, value]) => [`backout:${key}`, value])) };
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined));
}

export function configOf(change: Record<string, unknown> = {}, text: string = STACK): StackConfig {
  return parseConfig(rawOf(text, change));
}

export function pinsOf(change: Record<string, unknown> = {}, text: string = STACK): Pins {
  return resolvePins(configOf(change, text), definition);
}
