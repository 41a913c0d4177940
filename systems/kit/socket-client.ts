/** A client that listens over a real WebSocket, as users' clients do. */
import { WebSocket } from "ws";

export interface Listener<Greeting, Message> {
  /** First message of the service. */
  greeting: Greeting;
  /** Resolves with the first matching message; null: none in time. Earlier messages count. */
  heard(fits: (message: Message) => boolean, limitMs: number): Promise<Message | null>;
  close(): void;
}

const CONNECT_LIMIT_MS = 5_000;

/**
 * @param type of the messages that are listened to
 * @throws Error with the reason if the connection failed
 */
export async function listenTo<Greeting, Message extends { type: string }>(
  url: string,
  headers: Record<string, string>,
  type: Message["type"],
): Promise<Listener<Greeting, Message>> {
  const socket = new WebSocket(url, { headers, handshakeTimeout: CONNECT_LIMIT_MS });
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  const greeting = await new Promise<Greeting>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${url} did not greet within ${CONNECT_LIMIT_MS / 1000} s`)), CONNECT_LIMIT_MS);
    socket.on("error", (error) => reject(new Error(`no WebSocket at ${url}: ${error.message}`)));
    socket.on("close", (code) => reject(new Error(`the WebSocket at ${url} was closed (${code}) before it greeted`)));
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string };
      if (message.type !== type) return void (clearTimeout(late), resolve(message as Greeting));
      messages.push(message as Message);
      for (const look of waiting) look();
    });
  }).catch((error: unknown) => {
    socket.terminate();
    throw error;
  });
  return {
    greeting,
    heard: (fits, limitMs) =>
      new Promise((resolve) => {
        const end = (found: Message | null): void => {
          clearTimeout(late);
          waiting.delete(look);
          resolve(found);
        };
        const look = (): void => {
          const found = messages.find(fits);
          if (found !== undefined) end(found);
        };
        const late = setTimeout(() => end(null), limitMs);
        waiting.add(look);
        look();
      }),
    close: () => socket.terminate(),
  };
}
