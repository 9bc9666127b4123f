/**
 * Finds the way on by the next segment of a path: an open-addressed table whose probes stay in one array, so that a
 * search among ten thousand routes waits for memory a few times and not a dozen.
 */

/** What stands in the table: where a path goes that has `edge` next. */
export interface Edged {
  /** Whole segments, each with its slash before it. */
  readonly edge: string;
}

const SLASH = 47;

export class SegmentTable<Node extends Edged> {
  private readonly nodes: readonly Node[];
  /** Pairs: the hash of an edge's first segment, and 1 + the place of its node; 0 where the slot is free. */
  private readonly slots: Int32Array;
  private readonly mask: number;

  /** The first segments of the edges differ from each other. */
  constructor(nodes: readonly Node[]) {
    let size = 4;
    // At most half full: probes of segments that are not there end soon.
    while (size < nodes.length * 2) size *= 2;
    this.nodes = nodes;
    this.mask = size - 1;
    this.slots = new Int32Array(size * 2);
    nodes.forEach(({ edge }, place) => {
      const hash = hashSegment(edge, 0);
      let slot = hash & this.mask;
      while (this.slots[slot * 2 + 1] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot * 2] = hash;
      this.slots[slot * 2 + 1] = place + 1;
    });
  }

  /** The node whose edge the path has at `at`, where a slash stands; null when there is none. */
  find(path: string, at: number): Node | null {
    const { slots, mask } = this;
    const hash = hashSegment(path, at);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot * 2 + 1];
      if (place === 0) return null;
      if (slots[slot * 2] !== hash) continue;
      const node = this.nodes[place - 1];
      if (hasEdge(path, at, node.edge)) return node;
    }
  }
}

/** True when the path has the edge at `at`, and a slash or its end after it. */
export function hasEdge(path: string, at: number, edge: string): boolean {
  const end = at + edge.length;
  if (end > path.length || (end < path.length && path.charCodeAt(end) !== SLASH)) return false;
  for (let i = 1; i < edge.length; i++) if (path.charCodeAt(at + i) !== edge.charCodeAt(i)) return false;
  return true;
}

/** FNV-1a over the segment after the slash at `at`. The keys are the operator's: a client can collide with nothing. */
function hashSegment(path: string, at: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = at + 1; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === SLASH) break;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
