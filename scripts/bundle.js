/** Joins modules of `src`, and what they need of other packages, into as few files as their programs allow. */

/** What is not joined: native, or a program that reads others. Whoever installs Portico installs these. */
const APART = ['jiti', 'libsql', 'pg-native'];

/**
 * Writes a file for each program (its name to its module) into `directory`, all side by side, with what several of them need in files
 * beside them; answers the files that went in. Names stay as they are written, for the sake of stack traces.
 */
export async function bundle(root, programs, directory) {
  const { rolldown } = await import('rolldown');
  const joined = await rolldown({ cwd: root, platform: 'node', input: programs, external: APART });
  try {
    const { output } = await joined.write({
      dir: directory,
      entryFileNames: '[name].js',
      chunkFileNames: 'shared-[name]-[hash].js',
      sourcemap: true,
      comments: false,
    });
    return output.flatMap(({ moduleIds = [] }) => moduleIds);
  } finally {
    await joined.close();
  }
}
