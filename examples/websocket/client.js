/** Says something, hears the answer, leaves, and comes back with the cookie that it was given. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'ws://127.0.0.1:8080/chat';

/** Prints what the origin answers; returns the cookies that came with the handshake. */
async function say(text, cookie) {
  const socket = new WebSocket(url, { headers: cookie === '' ? {} : { cookie } });
  let cookies = [];
  socket.on('upgrade', (answer) => {
    cookies = answer.headers['set-cookie'] ?? [];
  });
  await once(socket, 'open');
  socket.send(text);
  const [answer] = await once(socket, 'message');
  console.log(String(answer));
  socket.close();
  await once(socket, 'close');
  return cookies.map((each) => each.split(';')[0]).join('; ');
}

const cookie = await say('hello', '');
await say('hello again', cookie);
