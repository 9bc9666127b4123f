/** Changes of TLS by which somebody is let in, or believed, whom it kept out. */
import type { ChangeCode } from './change.ts';
import { type Difference, isPlainMap } from './difference.ts';

/** The code of such a change and what is said of the listener or service; null for every other one. */
export function tlsLoss({ path, before, after }: Difference): [ChangeCode, string] | null {
  const [section, , key, ...rest] = path;
  if (key !== 'tls') return null;
  const at = rest.join('.');
  if (section === 'listeners') {
    if (at === '' && after === undefined) return ['tls_removed', 'no longer speaks TLS'];
    const asked =
      at === 'clientCertificates' ? isPlainMap(before) && before.verify === 'required' : before === 'required';
    const isLoss = (at === 'clientCertificates' && after === undefined) || at === 'clientCertificates.verify';
    if (isLoss && asked) return ['client_certificates_loosened', 'no longer refuses clients that show no certificate'];
  }
  if (section === 'services') {
    const verify = at === 'verify' ? after : at === '' && isPlainMap(after) ? after.verify : undefined;
    if (verify === false) return ['upstream_unverified', 'may be anybody: its certificates are not looked at any more'];
  }
  return null;
}
