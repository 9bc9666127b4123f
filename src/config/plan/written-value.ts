/** Values in the form in which a file would have them, without what nobody should read. */
import { type Address, formatAddress } from '../../base/address.ts';
import { nameOfCertificate, parseCertificates, validUntil } from '../../base/certificate.ts';
import { formatDuration } from '../../base/duration.ts';
import { formatSize } from '../../base/size.ts';
import type { ValuePath } from '../source-tree.ts';
import { shownUrl } from '../url-schema.ts';
import type { Change } from './change.ts';
import { isPlainMap } from './difference.ts';
import { settingAt } from './setting.ts';

const hidden = '(hidden)';

/** The value at a path: durations and sizes with their units, addresses as text, and secrets by their key hidden. */
export function writtenAt(path: ValuePath, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (path.some((_, index) => isSecretStep(path, index))) return hidden;
  if (typeof value === 'string' && value.includes('-----BEGIN CERTIFICATE-----')) return certificatesIn(value);
  if (typeof value === 'string' && path.at(-1) === 'url') return writtenUrl(value);
  const text = withUnit(path, value);
  if (text !== null) return text;
  if (Array.isArray(value)) {
    if (path.at(-1) === 'policies') return value.map((use) => writtenUse(path, use));
    return value.map((item, index) => writtenAt([...path, index], item));
  }
  if (isPlainMap(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, writtenAt([...path, key], item)]),
    );
  }
  // What a policy's schema may have made of its text.
  return ['string', 'number', 'boolean'].includes(typeof value) || value === null ? value : String(value);
}

/** A query may hold a key, as that of an address that the gateway calls. */
function writtenUrl(text: string): string {
  return URL.canParse(text) && new URL(text).search !== '' ? `${shownUrl(text)}?${hidden}` : text;
}

/** What a file held that the configuration names: nobody would see in the text which one it is. */
function certificatesIn(pem: string): string {
  try {
    const said = parseCertificates(pem).map((certificate) => {
      const until = new Date(validUntil(certificate)).toISOString().slice(0, 10);
      return `${nameOfCertificate(certificate)} until ${until} (SHA-256 ${certificate.fingerprint256.slice(0, 23)}...)`;
    });
    return said.join(', ');
  } catch {
    return 'a malformed certificate';
  }
}

function writtenUse(path: ValuePath, use: unknown): unknown {
  if (!isPlainMap(use) || typeof use.name !== 'string') return writtenAt([...path, 0], use);
  return { [use.name]: writtenAt([...path, use.name], use.options) };
}

function withUnit(path: ValuePath, value: unknown): string | string[] | null {
  const unit = settingAt(path)?.unit;
  if (unit === 'duration' && typeof value === 'number') return formatDuration(value);
  if (unit === 'size' && typeof value === 'number') return formatSize(value);
  if (unit === 'address' && isPlainMap(value)) return formatAddress(value as unknown as Address);
  if (unit === 'statuses' && Array.isArray(value)) {
    return value.map(([low, high]) => (low === high ? String(low) : `${low}-${high}`));
  }
  return null;
}

/** Names of things that are given by people are no keys: a policy may be called `apiKey`, a route `tokens`. */
function isSecretStep(path: ValuePath, index: number): boolean {
  const step = path[index];
  // Between a policy and its options may stand which of several it is.
  const above = typeof path[index - 1] === 'number' ? path[index - 2] : path[index - 1];
  if (typeof step !== 'string' || above === 'policies') return false;
  if (index === 1 && (above === 'routes' || above === 'services' || above === 'listeners')) return false;
  // What limits are counted by is no secret, as other keys may be.
  if (step === 'key' && (above === 'rateLimit' || above === 'concurrency')) return false;
  // Its URL may hold a password.
  if (step === 'shared' && above === 'state') return true;
  // That of a sticky service is the name only.
  if (step === 'cookie' && above === 'sticky') return false;
  return /token|secret|password|credential|authorization|cookie|keys?$/i.test(step);
}

/**
 * The changes without anything that came from outside the file (`${env...}`, `${file:...}`): values that are such a secret
 * as a whole, and long ones wherever they stand.
 */
export function withoutSecrets(changes: readonly Change[], secrets: ReadonlySet<string>): Change[] {
  if (secrets.size === 0) return [...changes];
  // Short ones would tear holes into words.
  const long = [...secrets].filter((secret) => secret.length >= 8);
  return changes.map((change) => {
    const { path, message, before, after, examples } = change;
    return {
      ...change,
      path: hideLong(path, long),
      message: hideLong(message, long),
      ...(before === undefined ? {} : { before: hideIn(before, secrets, long) }),
      ...(after === undefined ? {} : { after: hideIn(after, secrets, long) }),
      ...(examples === undefined ? {} : { examples: examples.map((example) => hideLong(example, long)) }),
    };
  });
}

function hideLong(text: string, long: readonly string[]): string {
  return long.reduce((rest, secret) => rest.split(secret).join(hidden), text);
}

function hideIn(value: unknown, secrets: ReadonlySet<string>, long: readonly string[]): unknown {
  if (typeof value === 'string') return secrets.has(value) ? hidden : hideLong(value, long);
  if (Array.isArray(value)) return value.map((item) => hideIn(item, secrets, long));
  if (!isPlainMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideIn(item, secrets, long)]));
}
