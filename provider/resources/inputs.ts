/** What every resource of a crossing is given. */
import type { Pins } from "../../config/pins.ts";
import type { Site } from "../../config/site.ts";

export interface CrossingInputs {
  site: Site;
  epoch: number;
}
export interface PinnedInputs extends CrossingInputs {
  pins: Pins;
}
