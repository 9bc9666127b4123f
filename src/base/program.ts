/** Programs of this package that run in threads and processes of their own. */

export interface Program {
  readonly url: URL;
  /** Options of Node.js that it needs. */
  readonly execArgv: readonly string[];
}

/** The program `name` beside the module of `importer`. From a checkout it is TypeScript, which needs its loader. */
export function programBeside(importer: string, name: string): Program {
  const isSource = importer.endsWith('.ts');
  return {
    url: new URL(`./${name}.${isSource ? 'ts' : 'js'}`, importer),
    execArgv: isSource ? ['--import', 'jiti/register'] : [],
  };
}
