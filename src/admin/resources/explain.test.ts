import { afterEach, describe, expect, it } from 'vitest';
import type { ExplainConnection } from '../../gateway/explain-connection.ts';
import type { ExplainRequest } from '../../gateway/explain-request.ts';
import type { Explanation } from '../../gateway/explanation.ts';
import { ask, closeAll, sourceWith, start } from '../admin.test.support.ts';

afterEach(closeAll);

const EXPLANATION = {
  route: null,
  candidates: [],
  policies: [],
  service: null,
  endpoints: [],
  request: null,
  answer: { status: 404, code: 'route_not_found', body: '{}' },
};

describe('/explain', () => {
  it.each([
    ['url=/', { method: 'GET', url: '/', headers: [], clientAddress: '127.0.0.1' }],
    [
      'method=POST&url=https://a.example/b%3Fc%3Dd&client=::1',
      { method: 'POST', url: 'https://a.example/b?c=d', headers: [], clientAddress: '::1' },
    ],
    [
      'url=/&header=Host:%20a.example&header=x-a:1&header=x-b:',
      { method: 'GET', url: '/', headers: ['Host: a.example', 'x-a:1', 'x-b:'], clientAddress: '127.0.0.1' },
    ],
  ])('?%s asks for it', async (query, expected) => {
    const asked: ExplainRequest[] = [];
    const source = sourceWith({
      explain(request) {
        asked.push(request);
        return EXPLANATION;
      },
    });
    const answer = await ask(await start({ source }), `/explain?${query}`);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, EXPLANATION]);
    expect(asked).toEqual([expected]);
  });

  it.each([
    ['listener=mail', { listener: 'mail', clientAddress: '127.0.0.1' }],
    ['sni=DB.example&client=::1', { sni: 'db.example', clientAddress: '::1' }],
    ['listener=secure&sni=a', { listener: 'secure', sni: 'a', clientAddress: '127.0.0.1' }],
  ])('?%s asks for a connection', async (query, expected) => {
    const asked: ExplainConnection[] = [];
    const connection: Explanation['connection'] = { listener: 'mail', protocol: 'TCP', sni: '', error: null };
    const explanation = { ...EXPLANATION, route: 'mail', answer: null, connection };
    const source = sourceWith({
      explainConnection(one) {
        asked.push(one);
        return explanation;
      },
    });
    const answer = await ask(await start({ source }), `/explain?${query}`);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, explanation]);
    expect(asked).toEqual([expected]);
  });

  it('tells what is wrong with a connection that cannot be', async () => {
    const source = sourceWith({ explainConnection: () => ({ part: 'listener', fault: 'there is none' }) });
    const answer = await ask(await start({ source }), '/explain?listener=x');
    expect([answer.status, JSON.parse(answer.body).detail]).toEqual([400, 'Bad query: listener: there is none.']);
  });

  it.each([
    ['', 'url: must be given, or `listener` or `sni` of a connection'],
    ['method=GET', 'url: must be given'],
    ['listener=', 'listener: must be the name of a listener'],
    ['sni=', 'sni: must be a server name'],
    ['sni=a%20b', 'sni: must be a server name'],
    ['sni=%C3%A9', 'sni: must be a server name'],
    [`sni=${'a'.repeat(256)}`, 'sni: must be a server name'],
    ['sni=a&sni=b', 'sni may be given once'],
    ['url=/&sni=a', 'url: is of a request, and `sni` of a connection'],
    ['url=/&listener=a&sni=a', 'url: is of a request, and `listener` of a connection'],
    ['listener=a&method=GET', 'method: is of a request, and `listener` of a connection'],
    ['sni=a&header=x:1', 'header: is of a request, and `sni` of a connection'],
    ['url=', 'url: must be'],
    ['url=a/b', 'url: must be'],
    ['url=ftp://a/', 'url: must be'],
    ['url=http://', 'url: must be'],
    ['url=/a%0d%0aX:%20y', 'url: must be'],
    ['url=/a%20b', 'url: must be'],
    ['url=/%E2%82%AC', 'url: must be'],
    ['url=/&method=G%20T', 'method: must be a method'],
    ['url=/&method=', 'method: must be a method'],
    ['url=/&header=x', 'header.0: must be `name: value`'],
    ['url=/&header=a:1&header=:x', 'header.1: must be `name: value`'],
    ['url=/&header=a:1%0d%0ab:2', 'header.0: must be `name: value`'],
    ['url=/&client=nowhere', 'client: must be an IP address'],
    ['url=/&headers=a:1', 'there is no parameter "headers"; did you mean "header"?'],
  ])('?%s is refused', async (query, detail) => {
    const answer = await ask(await start(), `/explain?${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).detail).toContain(`Bad query: ${detail}`);
  });

  it.each(['url=/', 'listener=a'])('is refused before a configuration runs: ?%s', async (query) => {
    const answer = await ask(await start(), `/explain?${query}`);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'draining']);
  });
});
