/** Where the requests of one route are counted: the only metrics code that runs on every request. */
import type { HistogramCell, HistogramLayout } from './histogram.ts';
import { Cell } from './registry.ts';
import { labelText } from './text-format.ts';
import type { Traffic } from './traffic.ts';

/** Label values of `method`; anything else a client sends is `other`. */
const METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'other',
];

const OTHER = METHODS.length - 1;

/** Above the highest status, so that a method and a status make one small integer. */
const STATUS_SPAN = 1000;

/** Series of one route beyond which further combinations of method and status count as status `other`. */
const MAX_SERIES = 256;

/** OK to UNAUTHENTICATED. */
const GRPC_STATUSES = 17;
const UNKNOWN = 2;

export const ROUTE_LABELS: readonly string[] = ['route', 'service'];
export const GRPC_LABELS: readonly string[] = [...ROUTE_LABELS, 'grpc_status'];
export const REQUEST_LABELS: readonly string[] = [...ROUTE_LABELS, 'method', 'status'];

/** Requests of one method and status: their durations, and so their number too. */
interface Series {
  readonly labels: string;
  readonly durations: HistogramCell;
}

/** What a route counted in a while: by series, and with its upstream. */
export interface RouteDelta {
  readonly route: string;
  readonly service: string;
  readonly series: readonly (readonly [key: number, delta: readonly number[]])[];
  readonly upstream: readonly number[] | null;
  readonly grpc: readonly (readonly [status: number, count: number])[];
  /** WebSockets that ended, by code. */
  readonly closes: readonly (readonly [code: string, count: number])[];
}

export class RouteMetrics {
  readonly route: string;
  readonly service: string;
  /** Durations of upstream exchanges; null until the first. */
  upstream: HistogramCell | null = null;
  /** WebSockets that ended, by code; null until the first. */
  closes: Map<string, Cell> | null = null;
  private readonly layout: HistogramLayout;
  private readonly series = new Map<number, Series>();
  /** Calls of gRPC by status; null until the first. */
  private grpc: Cell[] | null = null;
  private lastMethod = '';
  private lastStatus = -1;
  private lastCell: HistogramCell | null = null;

  constructor(route: string, service: string, layout: HistogramLayout) {
    this.route = route;
    this.service = service;
    this.layout = layout;
  }

  /**
   * Counts one finished request. `status` is what the client received, or would have (499 when it left); `durationMs`
   * is from the first byte of the head to the end of the answer, `upstreamMs` the upstream's part, -1 when none was asked.
   */
  record(method: string, status: number, durationMs: number, upstreamMs: number): void {
    const last = this.lastCell;
    if (last !== null && status === this.lastStatus && method === this.lastMethod) last.observe(durationMs);
    else this.find(method, status).observe(durationMs);
    if (upstreamMs < 0) return;
    if (this.upstream === null) this.upstream = this.layout.createCell();
    this.upstream.observe(upstreamMs);
  }

  /** Counts one finished call of gRPC; `status` is 0 to 16. */
  recordGrpc(status: number): void {
    this.grpc ??= grpcCells();
    // A call that is over has a status: without one it was cut.
    this.grpc[status < 0 ? UNKNOWN : status].value++;
  }

  /** The statuses of gRPC that were counted, with their labels and numbers. */
  *grpcSamples(): Generator<readonly [labels: string, count: number]> {
    if (this.grpc === null) return;
    for (let status = 0; status < GRPC_STATUSES; status++) {
      const { value } = this.grpc[status];
      if (value > 0) yield [labelText(GRPC_LABELS, [this.route, this.service, String(status)]), value];
    }
  }

  private takeGrpcDelta(): [number, number][] {
    const delta: [number, number][] = [];
    this.grpc?.forEach((cell, status) => {
      const count = cell.takeDelta();
      if (count !== 0) delta.push([status, count]);
    });
    return delta;
  }

  /** Counts a WebSocket that ended; `code` as it came, from a peer that may be hostile. */
  recordClose(code: number): void {
    this.closeCell(closeLabel(code)).value++;
  }

  private closeCell(label: string): Cell {
    this.closes ??= new Map();
    let cell = this.closes.get(label);
    if (cell === undefined) this.closes.set(label, (cell = new Cell()));
    return cell;
  }

  /** The labels of the upstream series. */
  get labels(): string {
    return labelText(ROUTE_LABELS, [this.route, this.service]);
  }

  /** All series, in the order of their labels. */
  sorted(): Series[] {
    return [...this.series.values()].sort((a, b) => (a.labels < b.labels ? -1 : 1));
  }

  /** What was counted since the last call; null when nothing was. */
  takeDelta(): RouteDelta | null {
    const series: [number, readonly number[]][] = [];
    for (const [key, { durations }] of this.series) {
      const delta = durations.takeDelta();
      if (delta !== null) series.push([key, delta]);
    }
    const upstream = this.upstream === null ? null : this.upstream.takeDelta();
    const closes: [string, number][] = [];
    for (const [code, cell] of this.closes ?? []) {
      const count = cell.takeDelta();
      if (count !== 0) closes.push([code, count]);
    }
    const grpc = this.takeGrpcDelta();
    if (series.length === 0 && upstream === null && closes.length === 0 && grpc.length === 0) return null;
    return { route: this.route, service: this.service, series, upstream, grpc, closes };
  }

  /** Adds what the route's metrics of another process told. */
  addDelta({ series, upstream, grpc, closes }: RouteDelta): void {
    for (const [code, count] of closes) this.closeCell(code).value += count;
    for (const [key, delta] of series) {
      const own = this.series.get(key) ?? this.create(Math.floor(key / STATUS_SPAN), key % STATUS_SPAN);
      own.durations.addDelta(delta);
    }
    for (const [status, count] of grpc) {
      this.grpc ??= grpcCells();
      this.grpc[status].value += count;
    }
    if (upstream === null) return;
    if (this.upstream === null) this.upstream = this.layout.createCell();
    this.upstream.addDelta(upstream);
  }

  /** Adds all requests of the route to `traffic`. */
  addTo(traffic: Traffic): void {
    for (const [key, { durations }] of this.series) traffic.add(durations, key % STATUS_SPAN >= 500);
  }

  private find(method: string, status: number): HistogramCell {
    const index = methodIndex(method);
    const known = status >= 100 && status < 600 && Number.isInteger(status) ? status : 0;
    const series = this.series.get(index * STATUS_SPAN + known) ?? this.create(index, known);
    // Only a method of the short list is kept: a client's own long word would stay in memory with the request it came in.
    if (index !== OTHER) {
      this.lastMethod = METHODS[index];
      this.lastStatus = status;
      this.lastCell = series.durations;
    }
    return series.durations;
  }

  private create(index: number, status: number): Series {
    if (status !== 0 && this.series.size >= MAX_SERIES) {
      return this.series.get(index * STATUS_SPAN) ?? this.create(index, 0);
    }
    const text = status === 0 ? 'other' : String(status);
    const series: Series = {
      labels: labelText(REQUEST_LABELS, [this.route, this.service, METHODS[index], text]),
      durations: this.layout.createCell(),
    };
    this.series.set(index * STATUS_SPAN + status, series);
    return series;
  }
}

function grpcCells(): Cell[] {
  return Array.from({ length: GRPC_STATUSES }, () => new Cell());
}

/** The codes of the registry one by one, those of libraries and applications together: a peer can send any. */
function closeLabel(code: number): string {
  if (code >= 1000 && code <= 1015) return String(code);
  if (code >= 3000 && code <= 4999) return code < 4000 ? '3xxx' : '4xxx';
  return 'other';
}

function methodIndex(method: string): number {
  // The most frequent first: most comparisons end at the length.
  if (method === 'GET') return 0;
  if (method === 'POST') return 2;
  const index = METHODS.indexOf(method);
  return index < 0 ? OTHER : index;
}
