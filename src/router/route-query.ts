/** What the router asks of a request. */

export interface RouteQuery {
  readonly method: string;
  /** Lower case, without port and final dot; `''` when the request named none. */
  readonly host: string;
  /** Normalised, starts with `/`; `*` for OPTIONS of the whole server. */
  readonly path: string;
  /** As received, without `?`. */
  readonly query: string;
  /** A field by its lower-case name; several lines joined. */
  header(lowerName: string): string | undefined;
}
