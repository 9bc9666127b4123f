/** The pipelined connections of an endpoint that may have room for another request; the one used last is filled first, so that the others come to rest. */
import { type PipelinedConnection, SILENCE } from './pipelined-connection.ts';

/** Where no connection is shared, one is every so often, to see whether they might be; in milliseconds. */
const TRIAL = 1000;

/** In the beginning: nothing is known of the endpoint. */
const FIRST_DEPTH = 4;

export class Pipelines {
  /**
   * Most requests in flight on one connection. The answers of a slow endpoint, one after the other, would make a line as slow
   * as their sum: halved by each that lets those behind it wait, doubled by each that does not.
   */
  depth: number;
  private most: number;
  /** Before, nothing makes lines longer, or tries to. */
  private restUntil = 0;
  private trialAt = 0;
  /** Those that have no room any more leave when they are met. */
  private readonly roomy: PipelinedConnection[] = [];

  constructor(most: number) {
    this.most = most;
    this.depth = Math.min(most, FIRST_DEPTH);
  }

  /** Sets how many may be in flight on one connection when all is well. */
  allow(most: number): void {
    if (most === this.most) return;
    this.most = most;
    this.depth = Math.min(most, FIRST_DEPTH);
  }

  /** See `PipelineOwner`. */
  onTurnTaken(took: number, now: number): void {
    if (took <= SILENCE) {
      if (now >= this.restUntil) this.depth = Math.min(this.most, this.depth * 2);
    } else if (this.depth > 2) this.depth >>= 1;
    else this.rest(now);
  }

  /** Nobody shares for a while: whoever can make an endpoint slow for itself would do so for others. */
  rest(now: number): void {
    this.depth = 1;
    this.restUntil = this.trialAt = now + TRIAL;
  }

  add(connection: PipelinedConnection): void {
    if (connection.listed) return;
    connection.listed = true;
    this.roomy.push(connection);
  }

  /** One with room, whose answers come briskly. `now` in milliseconds, on the pool's clock. */
  pick(now: number): PipelinedConnection | null {
    if (this.depth > 1 || this.most === 1 || now < this.trialAt) return this.find(now);
    this.depth = 2;
    const connection = this.find(now);
    this.depth = 1;
    if (connection !== null) this.trialAt = now + TRIAL;
    return connection;
  }

  private find(now: number): PipelinedConnection | null {
    const { roomy } = this;
    for (let i = roomy.length - 1; i >= 0; i--) {
      const connection = roomy[i];
      if (!connection.hasRoom) this.remove(i);
      else if (!connection.isSilent(now)) return connection;
    }
    return null;
  }

  /** One with room, the one with the shortest line. */
  pickSlow(): PipelinedConnection | null {
    let shortest: PipelinedConnection | null = null;
    for (const connection of this.roomy) {
      if (connection.hasRoom && (shortest === null || connection.inFlight < shortest.inFlight)) shortest = connection;
    }
    return shortest;
  }

  /** It is closed. */
  delete(connection: PipelinedConnection): void {
    if (connection.listed) this.remove(this.roomy.indexOf(connection));
  }

  /** None of them takes another request. */
  retire(): void {
    for (const connection of this.roomy.splice(0)) {
      connection.listed = false;
      connection.retire();
    }
  }

  private remove(index: number): void {
    const { roomy } = this;
    roomy[index].listed = false;
    // The order of those further down is of no account.
    const last = roomy.pop() as PipelinedConnection;
    if (index < roomy.length) roomy[index] = last;
  }
}
