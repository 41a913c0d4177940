/** A PostgreSQL server and how its administrative role reaches it. */

export interface Endpoint {
  host: string;
  port: number;
  user: string;
  /** File whose first line is the password; readable by its owner only. Preferred: then no state, log or argument holds the password. */
  passwordFile?: string;
  password?: string;
}
