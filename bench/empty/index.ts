/** A program without resources: what an update costs that has nothing to do. */
import * as pulumi from "@pulumi/pulumi";

export const stack = pulumi.getStack();
