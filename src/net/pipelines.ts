/** The pipelined connections of an endpoint that may have room for another request; the one used last is filled first, so that the others come to rest. */
import type { PipelinedConnection } from './pipelined-connection.ts';

export class Pipelines {
  /** Those that have no room any more leave when they are met. */
  private readonly roomy: PipelinedConnection[] = [];

  add(connection: PipelinedConnection): void {
    if (connection.listed) return;
    connection.listed = true;
    this.roomy.push(connection);
  }

  /** One with room, whose answers come briskly. `now` in milliseconds, on the pool's clock. */
  pick(now: number): PipelinedConnection | null {
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
