/** What every resource of a rollout is given. */
import type { Pins } from "../../config/pins.ts";
import type { Site } from "../../config/site.ts";

export interface RolloutInputs {
  site: Site;
  epoch: number;
}
export interface PinnedInputs extends RolloutInputs {
  pins: Pins;
}
