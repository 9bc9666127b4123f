/** The body of a request as far as it has come, kept so that another try can send it again. */

/** Larger bodies are not kept, in bytes. */
const LARGEST = 64 * 1024;

export class ReplayBody {
  private chunks: Buffer[] = [];
  private size = 0;
  /** True when something was let go: the request cannot be sent again. */
  lost = false;

  add(chunk: Buffer): void {
    if (this.lost) return;
    this.chunks.push(chunk);
    this.size += chunk.length;
  }

  /** All that has come is on its way to an upstream: what is too large to keep is let go. */
  passedOn(): void {
    if (this.size > LARGEST) this.drop();
  }

  drop(): void {
    this.lost = true;
    this.chunks = [];
    this.size = 0;
  }

  sendTo(upstream: { sendBody(chunk: Buffer): boolean }): void {
    for (const chunk of this.chunks) upstream.sendBody(chunk);
  }
}
