/** The Date line (RFC 9110 section 6.6.1) for the gateway's own answers, made once a second. */
import type { Clock } from '../base/clock.ts';

export class DateHeader {
  private readonly clock: Clock;
  private second = -1;
  private text = '';

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `Date: ... CRLF`. */
  line(): string {
    const second = Math.floor(this.clock.wall() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.text = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    return this.text;
  }
}
