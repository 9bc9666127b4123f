/** Where the routes and services of the configuration stand in its text: found without reading the routes. */
import type { ConfigText } from '../config/load.ts';
import { readQuickly } from '../config/quick-yaml.ts';
import { endOfItem, type RouteLines } from '../config/route-lines.ts';
import type { NamedList } from './item-text.ts';

/** Characters beside the routes that are read where requests are served, in some ten milliseconds. */
const SHORT = 64 * 1024;

const services = new WeakMap<ConfigText, { readonly lines: RouteLines | null }>();

/** `routeLines` are those of the text. Null where it is not known, or would take too long to find out. */
export function itemLinesOf(source: ConfigText, list: NamedList, routeLines: RouteLines | null): RouteLines | null {
  if (list === 'routes' || routeLines === null) return list === 'routes' ? routeLines : null;
  let known = services.get(source);
  if (known === undefined) {
    known = { lines: serviceLinesOf(source.text, routeLines) };
    services.set(source, known);
  }
  return known.lines;
}

/** One line stands in the place of all routes: they are known to be complete, and of the same indentation. */
function serviceLinesOf(text: string, { starts, indent }: RouteLines): RouteLines | null {
  const start = starts[0];
  const end = Math.min(endOfItem(text, starts[starts.length - 1], indent) + 1, text.length);
  const length = text.length - (end - start);
  if (length > SHORT) return null;
  const line = `${' '.repeat(indent)}- 0\n`;
  const lines = readQuickly(text.slice(0, start) + line + text.slice(end))?.serviceLines ?? null;
  if (lines === null) return null;
  const ahead = end - start - line.length;
  return { ...lines, starts: lines.starts.map((at) => (at < start ? at : at + ahead)) };
}
