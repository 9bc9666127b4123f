/** The time of log lines as text, made anew only when it changed. */

export interface TimestampSource {
  /** RFC 3339 in UTC with milliseconds: `2026-01-31T23:59:59.123Z`. `wall` is milliseconds since the Unix epoch. */
  (wall: number): string;
}

/** `000` to `999`. */
export const THREE_DIGITS: readonly string[] = Array.from({ length: 1000 }, (_, value) =>
  String(value).padStart(3, '0'),
);

export function createTimestampSource(): TimestampSource {
  let second = -1;
  let prefix = '';
  let millisecond = -1;
  let text = '';
  return (wall) => {
    const now = Math.floor(wall);
    if (now === millisecond) return text;
    millisecond = now;
    const nowSecond = Math.floor(now / 1000);
    if (nowSecond !== second) {
      second = nowSecond;
      prefix = new Date(nowSecond * 1000).toISOString().slice(0, -4);
    }
    text = `${prefix}${THREE_DIGITS[now - nowSecond * 1000]}Z`;
    return text;
  };
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The time as the combined log format has it, in UTC: `31/Jan/2026:23:59:59 +0000`. */
export function createCombinedTimestampSource(): TimestampSource {
  let second = -1;
  let text = '';
  return (wall) => {
    const now = Math.floor(wall / 1000);
    if (now === second) return text;
    second = now;
    const iso = new Date(now * 1000).toISOString();
    text = `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
    return text;
  };
}
