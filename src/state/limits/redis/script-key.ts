/** The name under which a limit of somebody stands in Redis. */
import { createHash } from 'node:crypto';

/** Longer keys are told apart by a digest: clients choose them, and Redis keeps them. */
const LONGEST = 128;

/**
 * `portico:{RULE|KEY}FORM`: one name for one pair of rule and key, never the same for two. What stands in braces decides
 * where in a cluster it is. `form` tells states that cannot be read as each other.
 */
export function scriptKey(ruleId: string, key: string, form: string): string {
  return `portico:{${asciiOrDigest(ruleId)}|${asciiOrDigest(key)}}${form}`;
}

function asciiOrDigest(text: string): string {
  return isPlain(text) ? text : `#${digest(text)}`;
}

/** Without `|`, `{`, `}`, which mark the parts, and `#`, which marks digests. */
function isPlain(text: string): boolean {
  if (text.length > LONGEST) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e || code === 0x23 || code === 0x7b || code === 0x7c || code === 0x7d) return false;
  }
  return true;
}

/** 128 bits of SHA-256, over UTF-16: a lone surrogate has no UTF-8 of its own. */
function digest(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url').slice(0, 22);
}
