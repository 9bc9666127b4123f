/** Loads configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { stat } from 'node:fs/promises';
import { askThread, programBeside } from '../../base/program.ts';
import { inSlices } from '../../base/slices.ts';
import {
  type ConfigLoader,
  type ConfigText,
  isModule,
  type Loaded,
  type LoadOptions,
  loadHere,
} from '../../config/load.ts';
import { unpackConfig, unpackList } from '../../config/parcel.ts';
import { builtInSchemas } from '../built-in-policies.ts';
import type { LoadDelivery, LoadOrder } from './load-thread.ts';

/** Bytes up to which a text is loaded where it is needed, in some ten milliseconds: a thread takes longer to begin. */
const SMALL = 64 * 1024;

const PROGRAM = programBeside(import.meta.url, 'load-thread');

/**
 * A loader as `loadHere` is one, with the built-in policies. Modules are loaded here whatever their size: they are programs,
 * which may rely on what this thread has. Rejects when the thread fails, as when a text is too large for its memory.
 */
export const loadApart: ConfigLoader = {
  async file(path, options) {
    const size = !isModule(path) && options.readFile === undefined ? await sizeOf(path) : 0;
    if (size <= SMALL || options.policies !== builtInSchemas) return loadHere.file(path, options);
    return loadInThread(orderOf(path, null, options));
  },
  text(source, path, options) {
    const isSmall = source.text.length <= SMALL || options.readFile !== undefined;
    if (isSmall || options.policies !== builtInSchemas) return loadHere.text(source, path, options);
    return loadInThread(orderOf(path, source, options));
  },
};

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

async function loadInThread(order: LoadOrder): Promise<Loaded> {
  const { config, findings, ...rest } = await askThread<LoadDelivery>(PROGRAM, order, 'loads the configuration');
  return {
    ...rest,
    config: config === null ? null : await inSlices(unpackConfig(config)),
    findings: await inSlices(unpackList(findings)),
  };
}
