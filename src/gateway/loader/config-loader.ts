/** Loads configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { stat } from 'node:fs/promises';
import { inSlices } from '../../base/slices.ts';
import {
  type ConfigLoader,
  type ConfigText,
  type Former,
  isModule,
  type Loaded,
  type LoadOptions,
  loadHere,
  readSource,
} from '../../config/load.ts';
import { loadAgain } from '../../config/load-again.ts';
import { unpackConfig, unpackList } from '../../config/parcel.ts';
import { builtInSchemas } from '../built-in-policies.ts';
import type { LoadDelivery, LoadOrder } from './load-thread.ts';
import { askLoader, isWaiting, SMALL } from './waiting-thread.ts';

/**
 * A loader as `loadHere` is one, with the built-in policies, which makes use of what was loaded before. Modules are loaded here whatever their size: they are programs,
 * which may rely on what this thread has. Rejects when the thread fails, as when a text is too large for its memory.
 */
export const loadApart: ConfigLoader = {
  async file(path, options, former) {
    const size = !isModule(path) && options.readFile === undefined ? await sizeOf(path) : 0;
    if (size <= SMALL || options.policies !== builtInSchemas) return loadHere.file(path, options);
    if (former === undefined) return loadInThread(orderOf(path, null, options));
    const source = await readSource(path, options);
    // The thread has the words for what cannot be read.
    return 'text' in source ? loadLarge(source, path, options, former) : loadInThread(orderOf(path, null, options));
  },
  async text(source, path, options, former) {
    const isSmall = source.text.length <= SMALL || options.readFile !== undefined;
    if (isSmall || options.policies !== builtInSchemas) return loadHere.text(source, path, options);
    return loadLarge(source, path, options, former);
  },
};

/** Here where little of it is new, and else in a thread. */
async function loadLarge(source: ConfigText, path: string, options: LoadOptions, former?: Former): Promise<Loaded> {
  const again = former === undefined ? null : await loadAgain(source, path, options, former);
  return again ?? loadInThread(orderOf(path, source, options));
}

function orderOf(file: string, source: ConfigText | null, { name = file, env }: LoadOptions): LoadOrder {
  return { file, name, source, env: { ...env } };
}

/** 0 for what cannot be asked: loading it will tell why. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** Short, with one of each: what reads a reload is compiled by it. */
const SAMPLE = `version: 1
listeners: [{ name: a, address: "127.0.0.1:0" }]
services: [{ name: a, endpoints: ["http://127.0.0.1:1"], timeouts: { connect: 1s } }]
routes:
  - { name: a, match: { path: /a, methods: [GET] }, service: a, timeout: 1s, policies: [{ requestHeaders: { set: { x: y } } }] }
`;

async function loadInThread(order: LoadOrder): Promise<Loaded> {
  // A start: this thread has nothing to do until the other is through, and its first reload would keep requests waiting.
  const isStart = isWaiting();
  const delivery = askLoader<LoadDelivery>(order);
  if (isStart)
    await Promise.all([
      delivery,
      loadHere.text({ text: SAMPLE, format: 'yaml' }, order.file, { policies: builtInSchemas }),
    ]);
  const { config, findings, ...rest } = await delivery;
  return {
    ...rest,
    config: config === null ? null : await inSlices(unpackConfig(config)),
    findings: await inSlices(unpackList(findings)),
  };
}
