/** The reference is held to the code: every error code and every command with its options stands there, and nothing else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ACCESS_FIELD_NAMES } from '../../src/base/access-field-names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { ERRORS } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { commands } from '../../src/cli/main.ts';
import { changeCodes } from '../../src/config/plan/change.ts';
import { createAccessLog } from '../../src/observability/access-log.ts';
import { configOf } from '../support/gateway.ts';

function page(name: string): string {
  return readFileSync(new URL(`../../docs/reference/${name}.md`, import.meta.url), 'utf8');
}

test('errors.md has a row for every code, with its status, source and retry, and no other rows', () => {
  const rows = [...page('errors').matchAll(/^\| (\d+) \| `([a-z_]+)` \| (\w+) \| (yes|no) \| .+ \|$/gm)];
  const written = rows.map(([, status, code, source, retry]) => [code, Number(status), source, retry === 'yes']);
  const real = Object.values(ERRORS).map(({ code, status, source, retryable }) => [code, status, source, retryable]);
  expect(written).toEqual(real);
});

test('cli.md has a section for every command, with its usage, summary, details and options, and no other ones', () => {
  const sections = page('cli').split(/^## /m).slice(1);
  expect(sections.map((section) => section.split('\n')[0])).toEqual(
    commands.map(({ name, usage }) => `\`portico ${`${name} ${usage}`.trim()}\``),
  );
  commands.forEach(({ summary, details, options }, index) => {
    const section = sections[index];
    const paragraph = section.split('\n\n')[1].trim().replaceAll('\n', ' ');
    expect(paragraph).toBe(details === undefined ? summary : `${summary} ${details}`);
    const written = [...section.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, left, help]) => [left, help]);
    const real = options.map(({ name, short, value, help }) => {
      return [`${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`, help];
    });
    expect(written).toEqual(real);
  });
});

test('cli.md has a row for every code of `portico plan`, with its severity and meaning, and no other rows', () => {
  const rows = [...page('cli').matchAll(/^\| `([a-z_]+)` \| (\w+) \| (.+) \|$/gm)];
  const written = rows.map(([, code, severity, meaning]) => ({ code, severity, meaning }));
  const real = Object.entries(changeCodes).map(([code, { severity, meaning }]) => ({ code, severity, meaning }));
  expect(written).toEqual(real);
});

test('every access-log field that config takes can be written, and no other one', async () => {
  const deps = { clock: systemClock, logger: { ...silentLogger } };
  for (const name of [...ACCESS_FIELD_NAMES, 'header.x-tenant']) {
    const log = createAccessLog({ file: '/dev/null', format: 'json', fields: [name], redact: [] }, deps);
    await log.close();
  }
  expect(() => createAccessLog({ file: '/dev/null', format: 'json', fields: ['bogus'], redact: [] }, deps)).toThrow();
  await expect(
    configOf({
      version: 1,
      listeners: [{ name: 'a', address: '127.0.0.1:0' }],
      logging: { access: { fields: ['statsu'] } },
    }),
  ).rejects.toThrow(/no field of the access log/);
});
