/** `introspection`: who calls, by a Bearer token that its issuer is asked about (RFC 7662). */
import { hash } from 'node:crypto';
import { formatDuration } from '../../base/duration.ts';
import { shownUrl } from '../../config/url-schema.ts';
import { credentialsOf, isBearerToken } from '../../http/authorization.ts';
import { Accounts } from '../../pipeline/accounts.ts';
import { type AuthenticationRefusal, defineAuthentication } from '../../pipeline/authentication.ts';
import { Introspector } from './introspector.ts';
import { type IntrospectionOptions, introspectionSchema } from './schema.ts';

/** Characters of a token that is asked about. */
const LONGEST_TOKEN = 16 * 1024;

// RFC 6750 section 3.1: whoever showed nothing is not told what is wrong with it.
const ABSENT: AuthenticationRefusal = { reason: 'no Bearer token' };
const MALFORMED: AuthenticationRefusal = { reason: 'the Bearer token is malformed', error: 'error="invalid_token"' };

export const introspection = defineAuthentication({
  name: 'introspection',
  schema: introspectionSchema,
  create(options: IntrospectionOptions, { http, clock, logger, config, share }) {
    const accounts = new Accounts(config);
    // Hashed, since it holds the secret of the client.
    const key = `introspection ${hash('sha256', JSON.stringify(options) + accounts.fingerprint, 'base64')}`;
    const introspector = share(key, () => new Introspector(options, { http, clock, logger, accounts }));
    return {
      challenge: 'Bearer realm="portico"',
      effect: `finds out who calls by asking ${shownUrl(options.url)} about the Bearer token; answers are remembered for ${formatDuration(options.cacheFor)}`,
      isPresent: (exchange) => credentialsOf(exchange.header('authorization'), 'bearer') !== null,
      authenticate(exchange) {
        const token = credentialsOf(exchange.header('authorization'), 'bearer');
        if (token === null) return ABSENT;
        if (token.length > LONGEST_TOKEN || !isBearerToken(token)) return MALFORMED;
        return introspector.find(token);
      },
    };
  },
});
