import { afterEach, describe, expect, it } from 'vitest';
import type { ExplainRequest } from '../../gateway/explain-request.ts';
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
    ['', 'url: '],
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

  it('is refused before a configuration runs', async () => {
    const answer = await ask(await start(), '/explain?url=/');
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'draining']);
  });
});
