/** Reason phrases for the status codes that the gateway writes itself (RFC 9110 section 15). */
import { STATUS_CODES } from 'node:http';

const lines: string[] = [];

/** `HTTP/1.1 CODE REASON CRLF`; made once per code. */
export function statusLine(status: number): string {
  return (lines[status] ??= `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`);
}
