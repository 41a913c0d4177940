/**
 * What backout's own sessions set for themselves, in one place. A database or a role may have settings of its own that stop the damage (read-only),
 * or that belong to its users (timeouts, search path, formats): they stay theirs. Options of a session go before them, and end with it.
 */
import type { Client } from "pg";

/** Known to every supported version, and free for every role: given when a session begins, so that nothing runs without them. */
const OPTIONS: Readonly<Record<string, string>> = {
  // May it write, and how long may it take?
  default_transaction_read_only: "off",
  default_transaction_isolation: "read committed",
  default_transaction_deferrable: "off",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  // What was noted has to be there after a crash.
  synchronous_commit: "on",
  // Who works here, and for how long after something went wrong? An expected error is handled, not the session's end.
  role: "none",
  exit_on_error: "off",
  // Does the same text mean the same?
  search_path: "public",
  row_security: "on",
  standard_conforming_strings: "on",
  array_nulls: "on",
  transform_null_equals: "off",
  // Every session renders values alike, so that text and hashes of the same row are equal in two sessions.
  TimeZone: "UTC",
  DateStyle: "ISO,MDY",
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  xmlbinary: "base64",
  xmloption: "content",
  lc_monetary: "C",
  quote_all_identifiers: "off",
  client_min_messages: "warning",
};

/** Not known to every version, or not free for every role: set only where it is otherwise. */
const WHERE_OTHERWISE: Readonly<Record<string, string>> = {
  idle_session_timeout: "0",
  transaction_timeout: "0",
  session_replication_role: "origin",
};

const optionsOf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
    .join(" ");

/** As a startup packet takes them: those of servers from 14 on, where a session may be ended before it has said a word, and of older ones. */
export const SESSION_OPTIONS = [optionsOf({ ...OPTIONS, idle_session_timeout: "0" }), optionsOf(OPTIONS)] as const;

/**
 * For the client tools, as PGOPTIONS. The search path is left to their scripts: they empty it, and reset it to what users have.
 * @param major version of the tools, which is the server's; absent: what every version knows
 */
export function toolOptions(major = 0): string {
  const since: [number, string][] = [
    [14, "idle_session_timeout"],
    [17, "transaction_timeout"],
  ];
  const { search_path: _path, ...settings } = OPTIONS;
  return optionsOf({ ...settings, ...Object.fromEntries(since.flatMap(([version, name]) => (major >= version ? [[name, "0"]] : []))) });
}

/** Sets what could not be given when the session began. @throws where a superuser's setting binds this role: it says which */
export async function settle(client: Pick<Client, "query">): Promise<void> {
  await client.query(
    `SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)
     WHERE current_setting(name, true) <> value`,
    [Object.keys(WHERE_OTHERWISE), Object.values(WHERE_OTHERWISE)],
  );
}
