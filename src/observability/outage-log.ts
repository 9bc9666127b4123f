/** What is said of a service that the gateway needs and cannot ask: one line when it fails, one when it is back. */
import type { Logger } from '../base/logger.ts';

export class OutageLog {
  private readonly logger: Logger;
  /** What it is called, and its address as people may see it. */
  private readonly what: string;
  private readonly url: string;
  private isDown = false;

  constructor(logger: Logger, what: string, url: string) {
    this.logger = logger;
    this.what = what;
    this.url = url;
  }

  failed(reason: string): void {
    if (this.isDown) return;
    this.isDown = true;
    this.logger.warn(`${this.what} fails`, { url: this.url, reason });
  }

  answered(): void {
    if (!this.isDown) return;
    this.isDown = false;
    this.logger.info(`${this.what} answers again`, { url: this.url });
  }
}
