/** A server in the place of a system's, for checks that ask so often that they do not go through `fetch`. */
import { createServer, type ServerResponse } from "node:http";
import { listen } from "../../systems/kit/http.ts";

/** Answers every request, the first as number 1, until `work` is done. */
export async function whileAnswering<T>(
  answer: (asked: number, response: ServerResponse) => void,
  work: (url: string) => Promise<T>,
): Promise<T> {
  let asked = 0;
  const server = createServer((_request, response) => answer(++asked, response));
  const port = await listen(server, 0);
  try {
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
