/** What a system asks for before a release is deployed. */
export const DEPLOYMENT_ITEMS = ["backup", "tag", "configuration", "trial-rollback", "notification"] as const;

/**
 * - `backup`: the snapshot taken in the fence, verified by the copy that is restored from it.
 * - `tag`: the release that is left stands in the ledger exactly, under the name version control knows it by.
 * - `configuration`: the configuration of before is saved, with a hash per service.
 * - `trial-rollback`: a rollback of this system was rehearsed lately, and passed.
 * - `notification`: those who have to know were notified; the text is kept.
 */
export type DeploymentItem = (typeof DEPLOYMENT_ITEMS)[number];

export interface DeploymentDefinition {
  /** In this order. `deploy` looks for all of it before anything stops. */
  before: DeploymentItem[];
  /** How old a passed trial may be, hours. */
  trialWithinHours: number;
}

/** Moment under which the policy holds the text of `notification`. */
export const BEFORE_DEPLOYMENT = "before-deployment";
