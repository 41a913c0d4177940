/** Values that several keys of a stack file have: names, switches, settings, ports. */
import { z } from "zod";

/** Other forms in which YAML or the engine writes a value, as JSON schemas. */
export const orAs = (...forms: object[]): { orAs: object[] } => ({ orAs: forms });
/** The engine quotes the truth values of a stack file. */
export const QUOTED = orAs({ enum: ["true", "false"] });
/** A value that the engine has encrypted. */
export const ENCRYPTED = orAs({
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
});

/** Printable text without control characters. */
export const name = z
  .string()
  .min(1)
  .max(1000, "must be at most 1000 characters")
  .regex(/^\P{C}*$/u, "must hold no control characters");

/** Name of a release: it becomes part of file, database and snapshot names, and of typed commands. */
const RELEASE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
export const releaseName = z
  .string({ error: ({ input }) => (input === undefined ? undefined : "must be text: write the release's name in quotes") })
  .regex(
    RELEASE_NAME,
    "a release's name has letters, digits and . _ + - only, begins with a letter or digit, and is 100 characters long at most: rename it",
  );

/** YAML parsers read `off` and `on` as words or as booleans. */
export const onOff = z
  .preprocess((value) => (value === true ? "on" : value === false ? "off" : value), z.enum(["on", "off"]))
  .meta(orAs({ type: "boolean" }));

/** A setting of a service. */
export const setting = z.string().meta(ENCRYPTED);

export const port = z.number().int().min(1).max(65535);

export const snapshotName = z
  .string()
  .regex(
    /^(?:current|[A-Za-z0-9][A-Za-z0-9._+-]*(?:@[1-9][0-9]*)?|quarantine:\S(?:.*\S)?)$/,
    "must be `current`, a snapshot (`before-v4.0.0` or, exactly, `before-v4.0.0@2`) or `quarantine:<database>`",
  );
export const again = z.number().int().min(1, "counts from 1");
