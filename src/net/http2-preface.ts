/** Tells HTTP/2 by prior knowledge (RFC 9113 section 3.3) from HTTP/1 by the first bytes of a connection. */
import type { Socket } from 'node:net';

/** No method of HTTP/1 begins so: the preface was chosen for that (RFC 9113 section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * Answers once enough bytes have come, with all of them put back and the socket paused. A socket that ends before is
 * taken for HTTP/1, which has words for it; one that says too little for `timeout` milliseconds is ended.
 */
export function sniffHttp2(socket: Socket, timeout: number, decide: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const settle = (isHttp2: boolean): void => {
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('timeout', onError).setTimeout(0);
    socket.pause();
    if (seen.length > 0) socket.unshift(seen);
    decide(isHttp2);
  };
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    if (seen.compare(PREFACE, 0, length, 0, length) !== 0) settle(false);
    else if (seen.length >= PREFACE.length) settle(true);
  };
  const onEnd = (): void => settle(false);
  const onError = (): void => void socket.destroy();
  socket.on('data', onData).on('end', onEnd).on('error', onError).setTimeout(timeout, onError);
  socket.resume();
}
