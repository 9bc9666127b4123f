import { test } from 'vitest';
import { configFor, startTestGateway } from '../support/gateway.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { byteByByte } from '../support/splits.ts';
test('x', async () => {
    const origin = await startOrigin();
    const g = await startTestGateway(configFor([origin.url]));
  const a="POST /p HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.exled HTTP/1.1\r\nHost: a.exa0\r\n\r\n";
  const b="POST /p HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.exled\r\n\r\n";
  const d="GET /p HTTP/1.1\r\nHost: a.example\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.exled\r\n\r\n";
  for (const raw of [a,b,d]) for (const bb of [false,true]) for (const half of [false,true]) {
    const c = await rawClient(g.port);
    await c.send(bb ? byteByByte(Buffer.from(raw)) : raw);
    if (half) c.halfClose();
    const o = await c.read('GET', 1500).catch((e) => ({ kind: String(e).slice(0, 100) }));
    const o2 = await c.read('GET', 1500).catch((e) => ({ kind: String(e).slice(0, 100) }));
    console.log(bb, half, o.kind, o2.kind, c.unread.length);
    c.close(); }
    await g.close(); await origin.close();
});
