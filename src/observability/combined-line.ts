/** The access-log line in the combined format of Apache and nginx, for tools that read only that. */
import type { AccessLine } from './access-entry.ts';
import { REDACTED, type Redaction } from './redaction.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `CLIENT - - [TIME] "METHOD TARGET PROTOCOL" STATUS BYTES "REFERER" "AGENT"`; what is missing is `-`. */
export function createCombinedLine(redaction: Redaction): AccessLine {
  const hidesReferer = redaction.hides('referer');
  const hidesAgent = redaction.hides('user-agent');
  let second = -1;
  let time = '';
  return (entry, wall) => {
    const now = Math.floor(wall / 1000);
    if (now !== second) {
      second = now;
      time = timeText(now);
    }
    const referer = entry.header('referer') ?? '';
    const agent = entry.userAgent();
    const request = `${entry.method} ${redaction.target(entry.target)} ${entry.protocol}`;
    return (
      `${entry.clientAddress} - - [${time}] "${escaped(request)}" ${entry.status} ${entry.bytesOut}` +
      ` "${hidesReferer && referer !== '' ? REDACTED : escaped(redaction.header('referer', referer))}"` +
      ` "${hidesAgent && agent !== '' ? REDACTED : escaped(agent)}"\n`
    );
  };
}

/** `31/Jan/2026:23:59:59 +0000`, of seconds since 1970. */
function timeText(second: number): string {
  const iso = new Date(second * 1000).toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}

/** As nginx does it: what is not printable US-ASCII, `"` and `\` as `\xHH`. */
function escaped(text: string): string {
  if (text === '') return '-';
  return /[^ !#-[\]-~]/.test(text) ? text.replace(/[^ !#-[\]-~]/g, escapeUnit) : text;
}

function escapeUnit(character: string): string {
  return `\\x${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`;
}
