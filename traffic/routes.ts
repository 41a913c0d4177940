/** A site and its API under one origin: the longest matching prefix decides. */
import type { IncomingMessage } from "node:http";
import type { Destination } from "./listener.ts";

export interface Route {
  /** `/api` matches `/api` and everything below it. */
  prefix: string;
  destination: Destination;
}

export function routed(otherwise: Destination, routes: Route[]): Destination {
  if (routes.length === 0) return otherwise;
  const byLength = [...routes].sort((a, b) => b.prefix.length - a.prefix.length);
  const find = (request: IncomingMessage): Destination => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    return byLength.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))?.destination ?? otherwise;
  };
  return {
    handle: (request, response) => find(request).handle(request, response),
    upgrade: (request, socket, head) => {
      const destination = find(request);
      if (destination.upgrade === undefined) socket.destroy();
      else destination.upgrade(request, socket, head);
    },
  };
}
