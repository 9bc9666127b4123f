/** A map of very many texts to small numbers, in parts: a map that grows moves all it holds at once, which would be felt. */

/** Beyond it there are several maps. */
const ONE_MAP = 4096;

const PARTS = 64;

export class KeyMap {
  size = 0;
  private maps: Map<string, number>[] = [new Map()];

  get(key: string): number | undefined {
    return this.mapOf(key).get(key);
  }

  /** The key must not be there. */
  add(key: string, value: number): void {
    if (++this.size === ONE_MAP && this.maps.length === 1) this.split();
    this.mapOf(key).set(key, value);
  }

  /** The key must be there. */
  delete(key: string): void {
    this.mapOf(key).delete(key);
    if (--this.size === 0) this.maps = [new Map()];
  }

  values(): number[] {
    return this.maps.flatMap((map) => [...map.values()]);
  }

  private mapOf(key: string): Map<string, number> {
    return this.maps.length === 1 ? this.maps[0] : this.maps[partOf(key)];
  }

  private split(): void {
    const [all] = this.maps;
    this.maps = Array.from({ length: PARTS }, () => new Map());
    for (const [key, value] of all) this.maps[partOf(key)].set(key, value);
  }
}

/** Addresses differ at their ends, other keys anywhere. Whoever chooses keys that are all in one part wins nothing but a larger map. */
function partOf(key: string): number {
  const { length } = key;
  if (length === 0) return 0;
  let hash = length;
  hash = hash * 31 + key.charCodeAt(length - 1);
  hash = hash * 31 + key.charCodeAt(length >> 1);
  if (length > 2) hash = hash * 31 + key.charCodeAt(length - 2);
  if (length > 3) hash = hash * 31 + key.charCodeAt(length - 3);
  if (length > 4) hash = hash * 31 + key.charCodeAt(length - 4);
  return (hash ^ (hash >>> 6)) & (PARTS - 1);
}
