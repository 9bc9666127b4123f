/** What is odd about a route beside the others. */

export interface RouteFault {
  route: string;
  code: 'unreachable_route' | 'ambiguous_routes';
  message: string;
  /** The route that takes its requests. */
  other: string;
}
