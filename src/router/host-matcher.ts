/** What one entry of `hosts` asks of the request's host. */

export interface HostMatcher {
  /** The host, or for a wildcard what stands after `*.`; `''` for every host. */
  readonly name: string;
  readonly wildcard: boolean;
}

const everyHost: HostMatcher = { name: '', wildcard: true };

/** One matcher per entry; one for every host when there are no entries. */
export function compileHosts(hosts: readonly string[] | undefined): HostMatcher[] {
  if (hosts === undefined || hosts.length === 0) return [everyHost];
  return hosts.map((host) => {
    const wildcard = host.startsWith('*.');
    return { name: (wildcard ? host.slice(2) : host).toLowerCase(), wildcard };
  });
}

/** A wildcard stands for one or more labels: `*.example.com` covers `a.b.example.com` and not `example.com`. */
export function matchesHost(matcher: HostMatcher, host: string): boolean {
  if (!matcher.wildcard) return host === matcher.name;
  if (matcher.name === '') return true;
  const start = host.length - matcher.name.length;
  return start > 1 && host.endsWith(matcher.name) && host.charCodeAt(start - 1) === 46;
}
