/** What the router asks of a request. */
export interface RouteQuery {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  header(lowerName: string): string | undefined;
}
