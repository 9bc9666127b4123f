/** What limits need of Redis or Valkey: atomic scripts of one key each. */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  /** By which a server that has seen the source knows it. */
  readonly sha1: string;
}

export function createScript(source: string): Script {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

export interface ScriptServer {
  /** False while there is no connection: what is asked then is refused at once. */
  readonly ready: boolean;
  /** Told with each change of `ready`. */
  onReadyChange: ((ready: boolean, reason: string) => void) | null;
  /** Rejects when the server says no, or the connection is lost. Of one key what is asked first is done first. */
  run(script: Script, key: string, args: readonly string[]): Promise<unknown>;
  /** Begins again with a new connection: this one no longer answers. */
  renew(): void;
  /** Ends; what was asked may still be answered. */
  close(): Promise<void>;
}
