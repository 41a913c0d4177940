/** The keys of a stack file that say where artefacts are kept for all machines. */
import { z } from "zod";
import { ENCRYPTED } from "./schema-values.ts";
import { storeProblem } from "./store.ts";

export const storeUrl = z
  .string()
  .superRefine((url, context) => {
    const problem = storeProblem(url);
    if (problem !== null) context.addIssue(problem);
  })
  .optional()
  .describe(
    "Store of dumps, exports and evidence for all machines: `s3://bucket/prefix?region=…&endpoint=…` or `file:///shared/folder`; default: the home of the machine that made them.",
  );

export const storeKey = z
  .strictObject({
    accessKeyId: z.string().meta(ENCRYPTED).describe("Id of the access key."),
    secretAccessKey: z.string().meta(ENCRYPTED).describe("The access key."),
    sessionToken: z.string().meta(ENCRYPTED).optional().describe("Token of a temporary access key."),
  })
  .optional()
  .describe("Access key of an S3 store, instead of the environment's; set each with `pulumi config set --secret --path`.");
