/** The program of the thread that loads one configuration and ends: its result goes back in portions. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { atOnce } from '../../base/slices.ts';
import { type ConfigText, type Loaded, loadConfig, loadConfigText } from '../../config/load.ts';
import { type ConfigParcel, type Portions, packConfig, packList } from '../../config/parcel.ts';
import { builtInSchemas } from '../built-in-policies.ts';

/** What the thread is to load. */
export interface LoadOrder {
  readonly file: string;
  /** What findings call it. */
  readonly name: string;
  /** Text that stands for the file; null to read it. */
  readonly source: ConfigText | null;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What it found. */
export interface LoadDelivery extends Omit<Loaded, 'config' | 'findings'> {
  readonly config: ConfigParcel | null;
  readonly findings: Portions;
}

/** The order of a thread that began before there was one. */
function firstMessage<T>(port: MessagePort): Promise<T> {
  return new Promise((resolve) => void port.once('message', resolve));
}

if (parentPort !== null) {
  const { file, name, source, env } = (workerData as LoadOrder | null) ?? (await firstMessage<LoadOrder>(parentPort));
  const options = { name, policies: builtInSchemas, env };
  const loaded = source === null ? await loadConfig(file, options) : await loadConfigText(source, file, options);
  const { locate: _, ...rest } = loaded;
  const config = rest.config === null ? null : atOnce(packConfig(rest.config));
  const findings = atOnce(packList(rest.findings));
  const delivery: LoadDelivery = { ...rest, config, findings };
  const portions = [...findings, ...(config === null ? [] : [...config.services, ...config.routes])];
  parentPort.postMessage(
    delivery,
    portions.map(({ buffer }) => buffer as ArrayBuffer),
  );
}
