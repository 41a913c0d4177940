/** Running requests and streams of the gate, and its current state. */
import { decide, type Decision, type GateRequest, type ReadOnlyException } from "./decide.ts";
import { parseGateState, readStateText, type GateState } from "./state.ts";

interface Stream {
  service: string;
  request: GateRequest;
  exceptions: ReadOnlyException[];
  end(): void;
}

/**
 * Shared by all listeners of a gate. The state file is read for every request (some hundred bytes, kept parsed while its text is the
 * same): comparing times and sizes instead could miss two replacements within one tick of the file system's clock.
 */
export class Traffic {
  readonly #stateFile: string;
  readonly #onChange: (state: GateState | null) => void;
  readonly #underWay = new Map<string, number>();
  readonly #streams = new Set<Stream>();
  #text: string | null | undefined;
  #state: GateState | null = null;

  constructor(stateFile: string, onChange: (state: GateState | null) => void = () => undefined) {
    this.#stateFile = stateFile;
    this.#onChange = onChange;
  }

  /** The current state. If it has changed, streams that may not pass any more are ended before this returns. */
  state(): GateState | null {
    const text = readStateText(this.#stateFile);
    if (text === this.#text) return this.#state;
    this.#text = text;
    this.#state = text === null ? null : parseGateState(text);
    for (const stream of this.#streams) {
      if (decide(this.#state, stream.request, stream.exceptions).action === "refuse") stream.end();
    }
    this.#onChange(this.#state);
    return this.#state;
  }

  decide(request: GateRequest, exceptions: ReadOnlyException[]): Decision {
    return decide(this.state(), request, exceptions);
  }

  /** Counts a user's request as running until the returned function is called. */
  begin(service: string): () => void {
    this.#underWay.set(service, (this.#underWay.get(service) ?? 0) + 1);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#underWay.set(service, (this.#underWay.get(service) ?? 1) - 1);
    };
  }

  /** Registers a WebSocket or event stream: ended as soon as it may not pass any more. */
  follow(stream: Stream): () => void {
    this.#streams.add(stream);
    return () => void this.#streams.delete(stream);
  }

  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  counts(): { inFlight: number; streams: number; services: Record<string, number> } {
    const services = Object.fromEntries([...this.#underWay].filter(([, count]) => count > 0));
    return { inFlight: Object.values(services).reduce((sum, count) => sum + count, 0), streams: this.#streams.size, services };
  }
}
