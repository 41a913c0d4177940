/** What ends a check's SQL file early. */

/** A statement of the script failed. */
export class ScriptFailedError extends Error {
  /** Line of the script at which the statement begins, from 1. */
  readonly line: number;
  constructor(line: number, cause: Error) {
    super(`the statement at line ${line} failed: ${cause.message}`, { cause });
    this.name = "ScriptFailedError";
    this.line = line;
  }
}

export class ScriptSlowError extends Error {
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super(`it did not end within ${timeoutMs / 1000} s and was ended`);
    this.name = "ScriptSlowError";
    this.timeoutMs = timeoutMs;
  }
}
