/** Reads the configuration: its file, or a text that may come to stand for it. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Finding } from '../config/finding.ts';
import {
  type ConfigLoader,
  type ConfigText,
  type Former,
  type Loaded,
  type LoadOptions,
  loadHere,
} from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { RouteLines } from '../config/route-lines.ts';

export interface ConfigReaderDeps {
  /** As operators name it: findings carry this name. */
  readonly file: string;
  /** Where a relative name is looked for. */
  readonly directory: string;
  readonly load: LoadOptions;
  /** In this thread by default. */
  readonly loader?: ConfigLoader;
  /** Hears which files the newest load read. */
  readonly onFiles?: (files: readonly string[]) => void;
}

/** A configuration that is sound. */
export interface Sound {
  readonly source: ConfigText;
  readonly config: GatewayConfig;
  readonly secrets: ReadonlySet<string>;
  readonly findings: Finding[];
  readonly routeLines: RouteLines | null;
}

export function soundOf({ config, source, secrets, findings, routeLines }: Loaded): Sound | null {
  return config === null || source === null ? null : { config, source, secrets, findings, routeLines };
}

export class ConfigReader {
  private readonly deps: ConfigReaderDeps;

  constructor(deps: ConfigReaderDeps) {
    this.deps = deps;
  }

  get path(): string {
    return resolve(this.deps.directory, this.deps.file);
  }

  /** `former` is what runs. */
  async file(former?: Former): Promise<Loaded> {
    const loaded = await this.loader.file(this.path, this.optionsFor(former), former);
    this.deps.onFiles?.(loaded.files);
    return loaded;
  }

  text(source: ConfigText, former?: Former): Promise<Loaded> {
    return this.loader.text(source, this.path, this.optionsFor(former), former);
  }

  /** Where one runs already, a reload that waits is no reason to outlast it. */
  private optionsFor(former: Former | undefined): LoadOptions {
    return { ...this.deps.load, name: this.deps.file, inBackground: former !== undefined };
  }

  /** Where the state of a file lies that is broken: the key is found as long as its line is whole. */
  async stateDirOfBroken({ config, source }: Loaded): Promise<string | undefined> {
    if (config !== null) return undefined;
    const text = source?.text ?? (await this.brokenText());
    const line = /^[ \t{]*(["']?)stateDir\1[ \t]*:[ \t]*("[^"\n]+"|'[^'\n]+'|[^\s"'#][^#\n]*)/m.exec(text);
    return line?.[2].trim().replace(/^(["'])(.*)\1,?$/, '$2');
  }

  /** Of a file alone: what came by a pipe is gone, and a second wait for it would be as vain as the first. */
  private async brokenText(): Promise<string> {
    try {
      return (await stat(this.path)).isFile() ? await readFile(this.path, 'utf8') : '';
    } catch {
      return '';
    }
  }

  private get loader(): ConfigLoader {
    return this.deps.loader ?? loadHere;
  }
}
